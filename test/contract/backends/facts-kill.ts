import { describe, expect, it } from 'vitest';
import type { Subject } from './conformance.ts';

/** Two seconds are promised; the rest is for a busy machine and for asking who is alive. */
const promptMs = 4_000;

export function killFacts(subject: Subject): void {
  const { bench } = subject;
  const pidFile = () => `${bench().scratch}/pids-${bench().key().replaceAll('/', '-')}`;
  const killed = async (key: string) => {
    const before = Date.now();
    const state = await bench().session.kill(key);
    expect(Date.now() - before).toBeLessThan(promptMs);
    return state;
  };

  describe('ending a run', () => {
    it('a run that sleeps for ever is asked to end, and does', async () => {
      const key = await bench().start(await bench().program('sleep-for-ever.sh'));
      await bench().saw(key, 'ready');
      expect(await killed(key)).toMatchObject({ phase: 'exited', exitCode: null, signal: 'SIGTERM', killed: true });
      expect((await bench().finish(key)).text).toContain('ready\n');
      expect(await killed(key)).toMatchObject({ phase: 'exited', killed: true });
    });

    it('all generations of children end with it', async () => {
      const pids = pidFile();
      const key = await bench().start(`${await bench().program('spawn-children.sh')} ${pids}`);
      await bench().saw(key, 'ready');
      await expect.poll(() => bench().living(pids), { timeout: 5_000 }).toHaveLength(3);
      await killed(key);
      expect(await bench().living(pids)).toEqual([]);
    });

    it('one that ignores requests is forced', async () => {
      const pids = pidFile();
      const key = await bench().start(`exec ${await bench().program('ignore-term.sh')} ${pids}`);
      await bench().saw(key, 'ready');
      expect(await killed(key)).toMatchObject({ exitCode: null, signal: 'SIGKILL', killed: true });
      expect(await bench().living(pids)).toEqual([]);
    });

    it('a command may tidy up within the grace and keeps its exit code', async () => {
      const key = await bench().start("trap 'echo tidied; exit 7' TERM; echo ready; while :; do sleep 0.1; done");
      await bench().saw(key, 'ready');
      expect(await bench().session.kill(key, { graceMs: 5_000 })).toMatchObject({ exitCode: 7, killed: true });
      expect((await bench().finish(key)).text).toContain('tidied');
    });

    it('processes that left the group end too', async () => {
      const pids = pidFile();
      const program = await bench().program('leave-group.sh');
      const key = await bench().start(`: >${pids}; ${program} ${pids}`);
      await bench().saw(key, 'ready');
      expect(await bench().living(pids)).toHaveLength(3);
      await killed(key);
      const left = await bench().living(pids);
      expect(left).toHaveLength(subject.has('emptied-environment') ? 0 : left.length);
    });

    it('what an ended command left behind is ended by killing its key, and its result stays', async () => {
      const pids = pidFile();
      const leave = `setsid sh -c 'echo $$ >${pids}; exec sleep 3600' & sleep 3600 & echo $! >>${pids}.2; exit 4`;
      const key = await bench().start(leave);
      await bench().finish(key);
      await expect.poll(() => bench().living(`${pids} ${pids}.2`), { timeout: 5_000 }).toHaveLength(2);
      expect(await killed(key)).toMatchObject({ phase: 'exited', exitCode: 4, signal: null, killed: false });
      expect(await bench().living(`${pids} ${pids}.2`)).toEqual([]);
    });

    it('killing one run leaves the others alone', async () => {
      const other = await bench().start('echo ready; sleep 60');
      const key = await bench().start('echo ready; sleep 60');
      await bench().saw(other, 'ready');
      await killed(key);
      const { state } = await bench().session.poll(other, { offset: 0, maxBytes: 1, waitMs: 0 });
      expect(state.phase).toBe('running');
      await killed(other);
    });

    it('a run is killed whole even when the kill comes with its start', async () => {
      for (let round = 0; round < 10; round++) {
        const key = await bench().start(`sleep 30; echo reached >${bench().scratch}/early-${round}`);
        expect(await killed(key)).toMatchObject({ phase: 'exited', exitCode: null, killed: true });
      }
      expect((await bench().run(`ls ${bench().scratch} | grep -c early- || :`)).text.trim()).toBe('0');
    });

    it('a run that takes too long is ended by its supervisor, nobody watching', async () => {
      const pids = pidFile();
      const program = await bench().program('leave-group.sh');
      const key = await bench().start(`: >${pids}; ${program} ${pids}`, { timeoutMs: 1_500 });
      await bench().saw(key, 'ready');
      const { state } = await bench().finish(key);
      expect(state).toMatchObject({ phase: 'exited', exitCode: null, timedOut: true, killed: false });
      const left = await bench().living(pids);
      expect(left).toHaveLength(subject.has('emptied-environment') ? 0 : left.length);
    });

    it('a run that ends in time is not said to have timed out', async () => {
      const { state } = await bench().run('sleep 0.1; exit 5', { timeoutMs: 30_000 });
      expect(state).toMatchObject({ exitCode: 5, timedOut: false });
    });
  });
}
