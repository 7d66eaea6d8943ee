import { expect, it } from 'vitest';
import { describeIf } from './fact-if.ts';
import type { Subject } from './conformance.ts';

const pty = { columns: 91, rows: 27 };
/** A terminal ends lines with both. */
const lines = (text: string) => text.replaceAll('\r\n', '\n');

export function ptyFacts(subject: Subject): void {
  const { bench } = subject;

  describeIf(subject.has('pty'))('runs on a terminal', () => {
    it('the command has a terminal of the size asked for, and its exit code is kept', async () => {
      const command = '[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && stty size && echo "[$TERM]"; tty >/dev/null && exit 5';
      const { state, text } = await bench().run(command, { pty });
      expect(lines(text)).toMatch(/^27 91\n\[[a-z].*\]\n$/);
      expect(state).toMatchObject({ phase: 'exited', exitCode: 5, signal: null, killed: false });
    });

    it('everything else is as in a run without one', async () => {
      const run = (command: string, extra: object = {}) => bench().run(command, { sessionKey: 'pty-state', ...extra });
      const show = 'echo "${TERM-unset} ${SHELL-unset} $PWD ${KEPT-unset}"; export -p | grep -c __h_';
      const plain = (await run(show)).text;
      expect(plain).toContain('unset\n0\n');
      const { state } = await run(`cd ${bench().scratch}; export KEPT="a b"`, { pty });
      expect(state.cwd).toBe(bench().scratch);
      const [terminal = ''] = plain.split(' ');
      const after = lines((await run(show)).text);
      expect(after).toContain(`${bench().scratch} a b\n0\n`);
      expect(after.split(' ')[0]).toBe(terminal);
      const inside = lines((await run(show, { pty })).text);
      expect(inside.split(' ').slice(1)).toEqual(after.split(' ').slice(1));
      expect((await run('echo "$PWD $MINE"', { pty, cwd: '/', env: { MINE: 'ü' } })).text).toBe('/ ü\r\n');
    });

    it('without standard input, what reads finds the end', async () => {
      const { state, text } = await bench().run(await bench().program('read-stdin.sh'), { pty, timeoutMs: 20_000 });
      expect(state.exitCode).toBe(0);
      expect(text).toContain('end after 0\r\n');
    });

    it('input is typed: echoed, edited by the terminal, and Ctrl-C interrupts', async () => {
      const { session } = bench();
      const program = await bench().program('ask-on-terminal.sh');
      const key = await bench().start(program, { pty, stdin: true });
      await bench().saw(key, 'name? ');
      await session.writeStdin(key, Buffer.from('Anx\x7fna\r'));
      await bench().saw(key, 'hello Anna');
      await session.writeStdin(key, Buffer.from('\x03'));
      await bench().saw(key, 'interrupted');
      await session.writeStdin(key, Buffer.from('Bo\r'));
      await bench().saw(key, 'hello Bo');
      await session.writeStdin(key, Buffer.from('\x04'));
      const { state, text } = await bench().finish(key);
      expect(text).toContain('end of input');
      expect(state).toMatchObject({ exitCode: 3, signal: null });
    });

    it('the end of the input is Ctrl-D', async () => {
      const key = await bench().start(await bench().program('read-stdin.sh'), { pty, stdin: true });
      await bench().session.writeStdin(key, Buffer.from('one\n'), { end: true });
      expect((await bench().finish(key)).text).toContain('got one\r\nend after 1\r\n');
    });

    it('Ctrl-C ends a command that does not mind it, as that signal', async () => {
      const key = await bench().start('echo ready; sleep 60', { pty, stdin: true });
      await bench().saw(key, 'ready');
      await bench().session.writeStdin(key, Buffer.from('\x03'));
      expect((await bench().finish(key)).state).toMatchObject({ phase: 'exited', exitCode: null, signal: 'SIGINT' });
    });

    it('it is ended whole, asked first and then forced', async () => {
      const pids = `${bench().scratch}/pids-pty`;
      const key = await bench().start(`${await bench().program('leave-group.sh')} ${pids}`, { pty });
      await bench().saw(key, 'ready');
      expect(await bench().session.kill(key)).toMatchObject({ phase: 'exited', exitCode: null, killed: true });
      const left = await bench().living(pids);
      expect(left).toHaveLength(subject.has('emptied-environment') ? 0 : left.length);
      const tidy = await bench().start("trap 'echo tidied; exit 7' TERM; echo ready; while :; do sleep 0.1; done", {
        pty,
      });
      await bench().saw(tidy, 'ready');
      expect(await bench().session.kill(tidy, { graceMs: 5_000 })).toMatchObject({ exitCode: 7, killed: true });
    });

    it('one that takes too long is ended by its supervisor', async () => {
      const { state } = await bench().run('echo begun; sleep 60', { pty, timeoutMs: 500 });
      expect(state).toMatchObject({ phase: 'exited', exitCode: null, timedOut: true });
    });

    it('much output arrives whole', async () => {
      const { text, state } = await bench().run('i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done', {
        pty,
      });
      expect(state.exitCode).toBe(0);
      const all = lines(text).trimEnd().split('\n');
      expect([all.length, all[0], all.at(-1)]).toEqual([20_000, 'line 0', 'line 19999']);
    });

    it('a screen without size is refused', async () => {
      const run = bench().start('true', { pty: { columns: 0, rows: 24 } });
      await expect(run).rejects.toMatchObject({ code: 'Terminal.Invalid' });
    });
  });
}
