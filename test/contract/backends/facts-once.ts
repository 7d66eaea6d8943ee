import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Subject } from './conformance.ts';
import { readToEnd, spawnClient } from './harness.ts';

export function onceFacts(subject: Subject): void {
  const { bench, environmentId } = subject;
  const effects = async (file: string) => (await bench().run(`cat ${file}`, { sessionKey: 'bench' })).text;

  describe('one effect per key', () => {
    it('starting a key again attaches, while it runs and after it ended', async () => {
      const file = `${bench().scratch}/again`;
      const spec = { key: bench().key(), sessionKey: 'once', command: `echo x >>${file}; sleep 0.3; echo out; exit 6` };
      const { session } = bench();
      expect((await session.start(spec)).phase).toBe('running');
      await session.start(spec);
      const { state, text } = await readToEnd(session, spec.key);
      expect([state.exitCode, text]).toEqual([6, 'out\n']);
      expect(await session.start(spec)).toMatchObject({ phase: 'exited', exitCode: 6 });
      expect((await session.start({ ...spec, command: 'echo other' })).exitCode).toBe(6);
      expect(await effects(file)).toBe('x\n');
    });

    it('clients that start one key at the same moment cause one effect, fifty times', async () => {
      const clients = [bench().session];
      for (let more = 0; more < 2; more++) {
        const backend = await subject.open();
        clients.push(await backend.connect(await backend.create(environmentId)));
      }
      for (let round = 0; round < 50; round++) {
        const file = `${bench().scratch}/race-${round}`;
        const spec = { key: bench().key(), sessionKey: 'race', command: `echo x >>${file}; echo ${round}` };
        await Promise.all(clients.map((client) => client.start(spec)));
        const seen = await Promise.all(clients.map((client) => readToEnd(client, spec.key)));
        expect(seen.map(({ text, state }) => [text, state.exitCode])).toEqual(clients.map(() => [`${round}\n`, 0]));
      }
      expect(await effects(`${bench().scratch}/race-*`)).toBe('x\n'.repeat(50));
    }, 120_000);

    it('a run outlives the process that started it and is attached to by its key', async () => {
      const command = 'echo first; sleep 1; echo last; exit 9';
      const spec = { key: bench().key(), sessionKey: 'outlives', command };
      const client = await spawnClient(subject.client, environmentId, spec);
      client.go();
      await client.started();
      await client.kill();
      expect((await bench().session.start(spec)).phase).toBe('running');
      const { state, text } = await bench().finish(spec.key);
      expect([state.exitCode, text]).toEqual([9, 'first\nlast\n']);
    });

    it('a starter killed at any moment, then started again, causes one effect', async () => {
      const file = `${bench().scratch}/killed-starter`;
      const rounds = 16;
      for (let round = 0; round < rounds; round++) {
        const spec = { key: bench().key(), sessionKey: 'repaired', command: `echo x >>${file}; echo ${round}` };
        const client = await spawnClient(subject.client, environmentId, spec);
        client.go();
        // From before the first file to after the claim.
        await sleep(round * 2);
        await client.kill();
        await bench().session.start(spec);
        expect((await bench().finish(spec.key)).text).toBe(`${round}\n`);
      }
      expect(await effects(file)).toBe('x\n'.repeat(rounds));
    }, 120_000);
  });
}
