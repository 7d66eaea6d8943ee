import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Subject } from './conformance.ts';

export function resultFacts({ bench }: Subject): void {
  describe('results', () => {
    it.each([0, 1, 3, 127, 129, 137, 255])('exit code %i is reported as it is', async (code) => {
      const { state } = await bench().run(`exit ${code}`);
      expect(state).toMatchObject({ phase: 'exited', exitCode: code, signal: null, timedOut: false, killed: false });
    });

    it.each(['TERM', 'KILL', 'SEGV', 'INT', 'HUP'])('an end by SIG%s is reported as that signal', async (signal) => {
      const program = await bench().program('exit-by-signal.sh');
      const { state, text } = await bench().run(`exec ${program} ${signal}`);
      expect(text).toContain('before');
      expect(state).toMatchObject({ phase: 'exited', exitCode: null, signal: `SIG${signal}`, killed: false });
    });

    it('a signal that ends the command itself is reported as that signal', async () => {
      expect((await bench().run('kill -TERM $$; sleep 60')).state).toMatchObject({ exitCode: null, signal: 'SIGTERM' });
    });

    it('standard output and error are one stream in the order they were written', async () => {
      expect((await bench().run('echo 1; echo 2 >&2; echo 3; echo 4 >&2')).text).toBe('1\n2\n3\n4\n');
    });

    it('output keeps every byte, NUL and invalid UTF-8 too', async () => {
      const { output } = await bench().run(await bench().program('unicode-and-nul.sh'));
      const text = Buffer.from('grüße — 你好 — 🦉');
      expect(output).toEqual(Buffer.concat([text, Buffer.from([0, 255, 254]), Buffer.from('end')]));
    });

    it('10 MB of output arrive whole', async () => {
      const { output, state } = await bench().run(await bench().program('print-10mb.sh'));
      expect(state.exitCode).toBe(0);
      expect(output.length).toBe(10_000_000);
      const line = (n: number) =>
        `${String(n).padStart(8, '0')}${'abcdefghijklmnopqrstuvwxyz'.repeat(3)}abcdefghijklm\n`;
      const expected = createHash('sha256');
      for (let n = 1; n <= 100_000; n++) expected.update(line(n));
      expect(createHash('sha256').update(output).digest('hex')).toBe(expected.digest('hex'));
    });

    it('output is read from any offset, before and after the end', async () => {
      const key = await bench().start('printf abcdefghij; sleep 0.5; printf klm');
      await bench().saw(key, 'j');
      const session = bench().session;
      const middle = await session.poll(key, { offset: 4, maxBytes: 3, waitMs: 0 });
      expect(middle).toMatchObject({ offset: 4, state: { phase: 'running', outputBytes: 10 } });
      expect(middle.bytes.toString()).toBe('efg');
      expect((await bench().finish(key)).text).toBe('abcdefghijklm');
      expect((await session.poll(key, { offset: 11, maxBytes: 100, waitMs: 0 })).bytes.toString()).toBe('lm');
      expect((await session.poll(key, { offset: 999, maxBytes: 100, waitMs: 0 })).bytes.length).toBe(0);
    });

    it('a poll returns after its time when nothing happens, and at once when something does', async () => {
      const key = await bench().start('sleep 1; echo late; sleep 60');
      const quiet = await bench().session.poll(key, { offset: 0, maxBytes: 10, waitMs: 100 });
      expect(quiet).toMatchObject({ state: { phase: 'running', exitCode: null }, bytes: Buffer.alloc(0) });
      const news = await bench().session.poll(key, { offset: 0, maxBytes: 10, waitMs: 30_000 });
      expect(news.bytes.toString()).toBe('late\n');
      await bench().session.kill(key);
    });

    it('a poll that is aborted rejects with the reason and leaves the run alone', async () => {
      const key = await bench().start('sleep 60');
      const reason = new Error('enough');
      const abort = new AbortController();
      const polling = bench().session.poll(key, { offset: 0, maxBytes: 1, waitMs: 30_000, signal: abort.signal });
      setTimeout(() => {
        abort.abort(reason);
      }, 50);
      await expect(polling).rejects.toBe(reason);
      const { state } = await bench().session.poll(key, { offset: 0, maxBytes: 1, waitMs: 0 });
      expect(state.phase).toBe('running');
      await bench().session.kill(key);
    });

    it('a background child does not hold the result back, and its output is still collected', async () => {
      const key = await bench().start('(sleep 2; echo late) & echo now');
      const startedAt = Date.now();
      expect((await bench().finish(key)).text).toBe('now\n');
      expect(Date.now() - startedAt).toBeLessThan(1_900);
      await expect.poll(async () => (await bench().finish(key)).text, { timeout: 5_000 }).toBe('now\nlate\n');
    });

    it('standard input is empty unless it is asked for', async () => {
      const { text } = await bench().run(await bench().program('read-stdin.sh'), { timeoutMs: 10_000 });
      expect(text).toBe('end after 0\n');
    });

    it('standard input is fed in pieces and ended', async () => {
      const { session } = bench();
      const key = await bench().start(await bench().program('read-stdin.sh'), { stdin: true });
      await session.writeStdin(key, Buffer.from('one\ntw'));
      await bench().saw(key, 'got one');
      await session.writeStdin(key, Buffer.from('o\n'));
      await session.writeStdin(key, Buffer.from('three ü\n'), { end: true });
      expect((await bench().finish(key)).text).toBe('got one\ngot two\ngot three ü\nend after 3\n');
      await expect(session.writeStdin(key, Buffer.from('x'))).rejects.toMatchObject({ code: 'Terminal.Invalid' });
    });

    it('more input than a pipe holds arrives whole', async () => {
      const key = await bench().start('sleep 0.3; wc -c', { stdin: true });
      await bench().session.writeStdin(key, Buffer.alloc(1_000_000, 'x'), { end: true });
      expect((await bench().finish(key)).text.trim()).toBe('1000000');
    });

    it('input for a command that has none, or that does not exist, is refused', async () => {
      const key = await bench().start('sleep 60');
      const { session } = bench();
      await expect(session.writeStdin(key, Buffer.from('x'))).rejects.toMatchObject({ code: 'Terminal.Invalid' });
      await session.kill(key);
      const unknown = session.writeStdin('never started', Buffer.from('x'));
      await expect(unknown).rejects.toMatchObject({ code: 'Terminal.NotFound' });
    });

    it('a script of many lines with quotes, a here-document and 300 KB of text runs as written', async () => {
      const script = `cat <<'END' | wc -c\n${`it's "quoted" $HOME \\ \`x\`\n`.repeat(12_500)}END\nprintf '%s\\n' "a'b" 'c"d' $'e' 2>/dev/null\n`;
      const { text, state } = await bench().run(script);
      expect(state.exitCode).toBe(0);
      expect(text.split('\n')[0]?.trim()).toBe(String(12_500 * 26));
      expect(text).toContain(`a'b\nc"d\n`);
    });

    it('a command that is no shell syntax fails with a message', async () => {
      const { text, state } = await bench().run('if then');
      expect(state.exitCode).toBe(2);
      expect(text).toMatch(/syntax error/i);
    });

    it('a command with a NUL character is refused', async () => {
      await expect(bench().start('echo \0')).rejects.toMatchObject({ code: 'Terminal.Invalid' });
    });

    it('start and end have times', async () => {
      const before = Date.now() - 1_000;
      const { state } = await bench().run('sleep 0.1');
      const [startedAt, endedAt] = [Date.parse(state.startedAt ?? ''), Date.parse(state.endedAt ?? '')];
      expect(startedAt).toBeGreaterThan(before);
      expect(endedAt).toBeGreaterThanOrEqual(startedAt);
      expect(endedAt).toBeLessThan(Date.now() + 1_000);
    });

    it('a key nobody started is absent', async () => {
      const { state } = await bench().session.poll('never started', { offset: 0, maxBytes: 10, waitMs: 1_000 });
      expect(state).toMatchObject({ key: 'never started', phase: 'absent', outputBytes: 0 });
      expect(await bench().session.kill('never started')).toMatchObject({ phase: 'absent' });
    });
  });
}
