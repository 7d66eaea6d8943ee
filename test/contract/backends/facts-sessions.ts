import { describe, expect, it } from 'vitest';
import { itIf } from './fact-if.ts';
import type { Subject } from './conformance.ts';

const awkward = `it's "x" \\ $HOME \`id\` ; & | * ?\nexport FAKE=1\n\ttab  ü ā 🦉 \r end\n`;
const quoted = `'${awkward.replaceAll("'", `'\\''`)}'`;

export function sessionFacts(subject: Subject): void {
  const { bench } = subject;
  const inSession =
    (sessionKey: string) =>
    (command: string, extra: object = {}) =>
      bench().run(command, { sessionKey, ...extra });

  describe('sessions', () => {
    it('the working directory is kept between the commands of a session and not between sessions', async () => {
      const [one, two] = [inSession('cwd-1'), inSession('cwd-2')];
      const start = (await one('pwd')).text.trim();
      const { state } = await one(`mkdir -p '${bench().scratch}/a b'\ncd '${bench().scratch}/a b'`);
      expect(state.cwd).toBe(`${bench().scratch}/a b`);
      expect((await one('pwd')).text.trim()).toBe(`${bench().scratch}/a b`);
      expect(await bench().session.cwd('cwd-1')).toBe(`${bench().scratch}/a b`);
      expect((await two('pwd')).text.trim()).toBe(start);
      expect(await bench().session.cwd('cwd-2')).toBe(start);
    });

    it('exported variables are kept between the commands of a session and not between sessions', async () => {
      const [one, two] = [inSession('env-1'), inSession('env-2')];
      await one(`export KEPT=${quoted}; EMPTY=; export EMPTY; LOCAL=1`);
      const show = `printf '%s' "$KEPT"; printf '|%s|%s|%s' "\${EMPTY-unset}" "\${LOCAL-unset}" "\${FAKE-unset}"`;
      expect((await one(show)).text).toBe(`${awkward}||unset|unset`);
      expect((await one(show)).text).toBe(`${awkward}||unset|unset`);
      expect((await two('echo "${KEPT-unset}"')).text).toBe('unset\n');
    });

    it('a variable that is changed or unset stays so, also one of the base environment', async () => {
      const run = inSession('env-3');
      await run('export A=1 B=1 PATH="$PATH:/nowhere"');
      await run('unset A; export B=2; unset HOME');
      const { text } = await run('echo "${A-unset} $B ${PATH##*:} ${HOME-unset}"');
      expect(text).toBe('unset 2 /nowhere unset\n');
    });

    itIf(subject.has('tools-by-path'))('a session whose PATH leads nowhere can be repaired', async () => {
      const run = inSession('env-4');
      await run('export GOOD="$PATH" PATH=/nowhere');
      expect((await run('ls')).state.exitCode).toBe(127);
      await run('export PATH="$GOOD"');
      expect((await run('ls / >/dev/null')).state.exitCode).toBe(0);
    });

    it('state is kept whatever way the command ends by itself', async () => {
      const run = inSession('ends');
      await run('cd /; export A=exit; exit 3');
      expect((await run('pwd; echo $A')).text).toBe('/\nexit\n');
      await run('set -e; cd /tmp; export A=failed; false; export A=not-reached');
      expect((await run('pwd; echo $A')).text).toBe('/tmp\nfailed\n');
      await run('set -eux; cd /; export A=undefined; echo "$NOT_DEFINED"');
      expect((await run('pwd; echo $A')).text).toBe('/\nundefined\n');
    });

    it('a command that was killed or timed out leaves the session as it was', async () => {
      const run = inSession('killed');
      await run('cd /; export A=before');
      const key = await bench().start('cd /tmp; export A=killed; echo ready; sleep 60', { sessionKey: 'killed' });
      await bench().saw(key, 'ready');
      await bench().session.kill(key);
      await run('cd /tmp; export A=late; sleep 60', { timeoutMs: 300 });
      expect((await run('pwd; echo $A')).text).toBe('/\nbefore\n');
    });

    it('a command that others have overtaken does not set the session back', async () => {
      const run = inSession('overtaken');
      const slow = await bench().start('cd /tmp; export A=slow; sleep 1', { sessionKey: 'overtaken' });
      await run('cd /; export A=fast');
      await bench().finish(slow);
      expect((await run('pwd; echo $A')).text).toBe('/\nfast\n');
    });

    it('a directory of its own holds for one run', async () => {
      const run = inSession('override');
      await run('cd /; mkdir -p /tmp');
      expect((await run('pwd', { cwd: '/tmp' })).text).toBe('/tmp\n');
      expect((await run('pwd', { cwd: 'tmp' })).text).toBe('/tmp\n');
      expect((await run('pwd')).text).toBe('/\n');
      const { state, text } = await run('echo not reached', { cwd: '/no/such/folder' });
      expect(state.exitCode).toBe(1);
      expect(text).toContain('/no/such/folder');
      expect(text).not.toContain('not reached');
    });

    it('variables of its own hold for one run, unless the command changes them', async () => {
      const run = inSession('own-env');
      await run('export MINE=session');
      expect((await run('printf %s "$MINE$NEW"', { env: { MINE: awkward, NEW: 'n' } })).text).toBe(`${awkward}n`);
      expect((await run('echo "$MINE ${NEW-unset}"')).text).toBe('session unset\n');
      await run('export NEW="$NEW-changed"', { env: { NEW: 'given' } });
      expect((await run('echo "$MINE $NEW"')).text).toBe('session given-changed\n');
      await expect(run('true', { env: { 'not a name': '1' } })).rejects.toMatchObject({ code: 'Terminal.Invalid' });
    });

    it('a directory that has gone is said, and the command runs where sessions start', async () => {
      const run = inSession('gone');
      const start = (await run('pwd')).text.trim();
      const folder = `${bench().scratch}/to-go`;
      await run(`mkdir ${folder}; cd ${folder}`);
      await bench().run(`rmdir ${folder}`);
      const { text } = await run('pwd');
      expect(text).toContain(`${folder} is gone`);
      expect(text.trim().split('\n').at(-1)).toBe(start);
    });

    it('the runs of a session are listed, newest first', async () => {
      const one = await bench().start('true', { sessionKey: 'listed' });
      await bench().finish(one);
      const two = await bench().start('exit 2', { sessionKey: 'listed' });
      await bench().finish(two);
      const listed = await bench().session.listRuns('listed');
      expect(listed.map(({ key, exitCode }) => [key, exitCode])).toEqual([
        [two, 2],
        [one, 0],
      ]);
      expect(await bench().session.listRuns('nobody')).toEqual([]);
    });

    it('a finished run is forgotten, a running one is not', async () => {
      const { session } = bench();
      const key = await bench().start('echo x; sleep 60', { sessionKey: 'forgotten' });
      await expect(session.forget(key)).rejects.toMatchObject({ code: 'Terminal.Invalid' });
      await session.kill(key);
      await session.forget(key);
      await session.forget(key);
      expect(await session.listRuns('forgotten')).toEqual([]);
      expect((await session.poll(key, { offset: 0, maxBytes: 9, waitMs: 0 })).state.phase).toBe('absent');
    });
  });
}
