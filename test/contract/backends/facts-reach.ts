import { describe, expect, it } from 'vitest';
import { PortError } from '../../../src/lib/port-error.ts';
import type { Subject } from './conformance.ts';

const limitMs = 15_000;
const screen = { columns: 80, rows: 24, term: 'xterm', sessionKey: 'main' };

export function reachFacts(subject: Subject): void {
  const { bench } = subject;

  describe('being there', () => {
    it('a check tries it for real and says where it is', async () => {
      const startedAt = Date.now();
      const { usable, detail } = await bench().backend.check();
      expect([usable, detail.includes('\n'), detail.length > 0]).toEqual([true, false, true]);
      expect(Date.now() - startedAt).toBeLessThan(6_000);
    });

    it.each(subject.outOfReach ?? [])('out of reach, $why: every way in says so', async (way) => {
      const { code } = way;
      const backend = await way.open();
      const { handle } = bench();
      const spec = { key: bench().key(), sessionKey: 'main', command: 'true' };
      const ways: Record<string, () => Promise<unknown>> = {
        create: () => backend.create(`${subject.environmentId}-unreachable`),
        resume: () => backend.resume(handle),
        destroy: () => backend.destroy(handle),
        // It may be cheap; then the first command tells.
        start: async () => (await backend.connect(handle)).start(spec),
        openShell: async () => (await backend.openShell(handle, screen)).ended,
        ...(backend.hibernates ? { hibernate: () => backend.hibernate(handle) } : {}),
      };
      if (!subject.has('shell')) delete ways['openShell'];
      const answers = await Promise.all(
        Object.entries(ways).map(async ([name, way]) => [name, await failureOf(way)] as const),
      );
      expect(Object.fromEntries(answers)).toEqual(Object.fromEntries(Object.keys(ways).map((name) => [name, code])));
      const { usable, detail, fix } = await backend.check();
      expect(usable).toBe(false);
      expect(`${detail} ${fix ?? ''}`).not.toMatch(/undefined|\[object|^\s*$/);
      await backend.close();
    });
  });
}

/** The code it fails with; `late` after 15 s. */
async function failureOf(way: () => Promise<unknown>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => {
      resolve('late');
    }, limitMs);
  });
  const failed = way().then(
    () => 'no failure',
    (error: unknown) => {
      if (!PortError.is(error)) return `no PortError: ${String(error)}`;
      return /undefined|\[object|^\s*$/.test(error.message) ? `unclear: ${error.message}` : error.code;
    },
  );
  return Promise.race([failed, late]).finally(() => {
    clearTimeout(timer);
  });
}
