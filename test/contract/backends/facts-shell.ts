import { expect, it } from 'vitest';
import type { InteractiveShell } from '../../../src/backends/backend.ts';
import { describeIf } from './fact-if.ts';
import type { Subject } from './conformance.ts';

const screen = { columns: 83, rows: 21, term: 'xterm-256color', sessionKey: 'shell' };
const limit = { timeout: 20_000, interval: 50 };

export function shellFacts(subject: Subject): void {
  const { bench } = subject;
  const open = async () => listen(await bench().backend.openShell(bench().handle, screen));

  describeIf(subject.has('shell'))('a shell for a person', () => {
    it('has the size, the directory and the variables of its session, and reports its exit code', async () => {
      await bench().run(`cd ${bench().scratch}; export SHOWN="a b"`, { sessionKey: 'shell' });
      const { shell, said } = await open();
      shell.input.write('echo "<$(stty size)|$PWD|$SHOWN|$TERM>"; [ -t 0 ] && exit 7\n');
      expect(await shell.ended).toBe(7);
      expect(said()).toContain(`<21 83|${bench().scratch}|a b|xterm-256color>`);
    });

    it('is resized, and Ctrl-C ends what runs in it, not the shell', async () => {
      const { shell, said } = await open();
      shell.input.write("echo 'rea''dy'; sleep 300\n");
      await expect.poll(said, limit).toContain('rea');
      shell.resize(120, 40);
      // The terminal takes keys before the program is there.
      await expect.poll(said, limit).toMatch(/^ready/m);
      shell.input.write('\x03');
      shell.input.write('echo "<$(stty size)>"; exit\n');
      await shell.ended;
      expect(said()).toContain('<40 120>');
    });

    it('is bytes both ways', async () => {
      const { shell, said } = await open();
      shell.input.write("printf '%s' 'grüße 🦉' | od -An -tx1 | tr -d ' \\n'; exit 0\n");
      expect(await shell.ended).toBe(0);
      expect(said()).toContain(Buffer.from('grüße 🦉').toString('hex'));
    });

    it('ends with its connection, and what ran in it too', async () => {
      const { shell, said } = await open();
      const pids = `${bench().scratch}/pids-shell`;
      shell.input.write(`sh -c 'echo $$ >${pids}; echo rea""dy; exec sleep 3600'\n`);
      await expect.poll(said, limit).toContain('ready');
      shell.close();
      shell.close();
      await shell.ended;
      await expect.poll(() => bench().living(pids), { timeout: 20_000 }).toEqual([]);
    });
  });
}

function listen(shell: InteractiveShell): { shell: InteractiveShell; said: () => string } {
  const chunks: Buffer[] = [];
  shell.output.on('data', (bytes: Buffer) => chunks.push(bytes));
  return { shell, said: () => Buffer.concat(chunks).toString('utf8').replaceAll('\r\n', '\n') };
}
