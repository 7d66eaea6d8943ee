import { afterAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backends/backend.ts';
import type { Subject } from './conformance.ts';
import { readToEnd } from './harness.ts';

export function clientFacts(subject: Subject): void {
  const { bench, environmentId } = subject;
  const others: Backend[] = [];
  const another = async () => {
    const backend = await subject.open();
    others.push(backend);
    return backend.connect(await backend.create(environmentId));
  };

  describe('two clients', () => {
    afterAll(async () => {
      await Promise.all(others.map((backend) => backend.close()));
    });

    it('read one run at the same time, each from its own offset', async () => {
      const other = await another();
      const key = await bench().start('for i in 1 2 3 4 5 6 7 8; do echo "line $i"; sleep 0.1; done; exit 2');
      const seen = await Promise.all([bench().finish(key), readToEnd(other, key)]);
      const all = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `line ${n}\n`).join('');
      expect(seen.map(({ text, state }) => [text, state.exitCode])).toEqual([
        [all, 2],
        [all, 2],
      ]);
    });

    it('what one starts the other feeds, sees in the list, and ends', async () => {
      const other = await another();
      const key = await bench().start('read -r line; echo "got $line"; sleep 60', {
        stdin: true,
        sessionKey: 'two-clients',
      });
      await other.writeStdin(key, Buffer.from('over\n'));
      await bench().saw(key, 'got over');
      expect((await other.listRuns('two-clients')).map((run) => run.key)).toEqual([key]);
      expect(await other.kill(key)).toMatchObject({ phase: 'exited', killed: true });
      const { state } = await bench().session.poll(key, { offset: 0, maxBytes: 1, waitMs: 10_000 });
      expect(state).toMatchObject({ phase: 'exited', killed: true });
    });

    it('one that is closed takes nothing from the other, and works again when it is used', async () => {
      const backend = await subject.open();
      const handle = await backend.create(environmentId);
      const key = await bench().start('echo ready; sleep 60');
      const before = await backend.connect(handle);
      await before.poll(key, { offset: 0, maxBytes: 10, waitMs: 5_000 });
      await backend.close();
      await backend.close();
      const { state } = await bench().session.poll(key, { offset: 0, maxBytes: 10, waitMs: 0 });
      expect(state.phase).toBe('running');
      const after = await backend.connect(handle);
      expect(await after.kill(key)).toMatchObject({ killed: true });
      await backend.close();
    });
  });
}
