import { describe, expect, it } from 'vitest';
import type { Subject } from './conformance.ts';
import { openBench } from './harness.ts';

export function lifecycleFacts(subject: Subject): void {
  const { bench } = subject;

  describe('environments', () => {
    it('creating one that exists finds it', async () => {
      const again = await bench().backend.create(subject.environmentId);
      expect(again).toEqual(bench().handle);
      expect(again.backend).toBe(bench().backend.id);
      expect(JSON.parse(JSON.stringify(again))).toEqual(again);
      expect(await bench().backend.describe(again)).toMatchObject({ state: 'awake' });
    });

    it('files, records and sessions survive hibernation', async () => {
      const { backend } = bench();
      const sleeper = await openBench(backend, `${subject.environmentId}-sleeper`);
      const key = await sleeper.start(`echo kept >${sleeper.scratch}/kept; cd ${sleeper.scratch}; export A=1; exit 3`);
      await sleeper.finish(key);
      const asleep = await backend.hibernate(await backend.hibernate(sleeper.handle));
      const expected = subject.has('hibernation') ? 'hibernated' : 'awake';
      expect((await backend.describe(asleep)).state).toBe(expected);
      const awake = await backend.resume(asleep);
      expect((await backend.describe(awake)).state).toBe('awake');
      const session = await backend.connect(awake);
      expect((await session.poll(key, { offset: 0, maxBytes: 1, waitMs: 0 })).state.exitCode).toBe(3);
      expect((await session.readFile('kept', { sessionKey: 'main' })).bytes.toString()).toBe('kept\n');
      await sleeper.run(`cd /; rm -r ${sleeper.scratch}`);
      await backend.destroy(awake);
    });

    it('destroying one ends what runs in it and is repeatable', async () => {
      const { backend } = bench();
      const doomed = await openBench(backend, `${subject.environmentId}-doomed`);
      await doomed.run(`rm -r ${doomed.scratch}`);
      // Environments on one machine see each other's files; in others the end of a run can only be seen from inside.
      const sees = (await doomed.run(`test ! -d ${bench().scratch} || echo yes`)).text.includes('yes');
      const key = await doomed.start(`while :; do echo x >>${bench().scratch}/beat; sleep 0.05; done`);
      await doomed.session.poll(key, { offset: 0, maxBytes: 1, waitMs: 300 });
      await backend.destroy(doomed.handle);
      await backend.destroy(doomed.handle);
      expect((await backend.describe(doomed.handle)).state).toBe('absent');
      await expect(backend.connect(doomed.handle)).rejects.toMatchObject({ code: 'Terminal.SessionLost' });
      if (!sees) return;
      const count = async () => Number((await bench().run(`wc -l <${bench().scratch}/beat`)).text);
      const before = await count();
      expect(before).toBeGreaterThan(0);
      expect(await bench().run('sleep 0.3').then(count)).toBe(before);
    });
  });
}
