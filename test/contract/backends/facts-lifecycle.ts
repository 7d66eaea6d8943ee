import { describe, expect, it } from 'vitest';
import { PortError } from '../../../src/lib/port-error.ts';
import { itIf } from './fact-if.ts';
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

    itIf(subject.has('hibernation'))(
      'one that sleeps is not woken by connecting, and once by all who wake it',
      async () => {
        const { backend } = bench();
        const sleeper = await openBench(backend, `${subject.environmentId}-woken`);
        await sleeper.run('echo kept >~/kept-file');
        const asleep = await backend.hibernate(sleeper.handle);
        // It may be cheap to connect; then the first command is refused.
        const use = backend
          .connect(asleep)
          .then((session) => session.start({ key: sleeper.key(), sessionKey: 'main', command: 'true' }));
        const code = await use.then(
          () => 'it ran',
          (error: unknown) => (PortError.is(error) ? error.code : String(error)),
        );
        expect(['Terminal.Asleep', 'Terminal.SessionLost']).toContain(code);
        expect((await backend.describe(asleep)).state).toBe('hibernated');
        const other = await subject.open();
        const woken = await Promise.all([backend.resume(asleep), other.resume(asleep)]);
        expect(woken[1]).toEqual(woken[0]);
        const session = await other.connect(woken[1]);
        await session.writeFile('~/also', Buffer.from('also'), { sessionKey: 'main' });
        const first = await backend.connect(woken[0]);
        expect((await first.readFile('~/also', { sessionKey: 'main' })).bytes.toString()).toBe('also');
        expect((await first.readFile('~/kept-file', { sessionKey: 'main' })).bytes.toString()).toBe('kept\n');
        await other.close();
        await backend.destroy(woken[0]);
      },
    );

    it('while a new handle cannot be kept, the old one goes on working', async () => {
      const { backend } = bench();
      const keeper = await openBench(backend, `${subject.environmentId}-keeper`);
      await keeper.run('echo kept >~/kept-file');
      let refused = 0;
      const change = backend.hibernate(keeper.handle, {
        commit: () => {
          refused += 1;
          return Promise.reject(new Error('the handle cannot be written'));
        },
      });
      const done = await change.then(
        () => true,
        () => false,
      );
      // A backend whose handle stays the same has nothing to hand out.
      expect(done).toBe(refused === 0);
      const awake = await backend.resume(keeper.handle);
      const session = await backend.connect(awake);
      expect((await session.readFile('~/kept-file', { sessionKey: 'main' })).bytes.toString()).toBe('kept\n');
      await session.start({ key: keeper.key(), sessionKey: 'main', command: 'rm ~/kept-file' });
      await backend.destroy(awake);
    });

    itIf(subject.leftovers !== undefined)('destroying one leaves nothing behind, asleep or awake', async () => {
      const { backend } = bench();
      const left = (id: string) => subject.leftovers?.(id);
      for (const name of backend.hibernates ? ['gone-awake', 'gone-asleep'] : ['gone-awake']) {
        const id = `${subject.environmentId}-${name}`;
        const gone = await openBench(backend, id);
        await gone.run(`rm -r ${gone.scratch}`);
        expect(await left(id)).not.toEqual([]);
        const handle = name === 'gone-asleep' ? await backend.hibernate(gone.handle) : gone.handle;
        await backend.destroy(handle);
        expect(await left(id)).toEqual([]);
      }
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
      const lost = { code: 'Terminal.SessionLost' };
      await expect(backend.connect(doomed.handle)).rejects.toMatchObject(lost);
      await expect(backend.resume(doomed.handle)).rejects.toMatchObject(lost);
      if (subject.has('shell')) {
        const screen = { columns: 80, rows: 24, term: 'xterm', sessionKey: 'main' };
        await expect(backend.openShell(doomed.handle, screen)).rejects.toMatchObject(lost);
      }
      if (!sees) return;
      const count = async () => Number((await bench().run(`wc -l <${bench().scratch}/beat`)).text);
      const before = await count();
      expect(before).toBeGreaterThan(0);
      expect(await bench().run('sleep 0.3').then(count)).toBe(before);
    });
  });
}
