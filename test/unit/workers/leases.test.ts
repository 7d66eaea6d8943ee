import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { AcquireResult } from '../../../src/contracts/environment.ts';
import type { AcquireOptions } from '../../../src/gateway/environment-client.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { createLeases, type Leases } from '../../../src/workers/compose/leases.ts';
import { isUnreachable, watchSession } from '../../../src/workers/compose/watch-session.ts';
import type { TerminalSession } from '../../../src/backends/backend.ts';
import { until } from '../../support/installation.ts';

const docker = { environmentId: 'anna.docker', backend: 'docker', personId: 'anna' };
const holder = 'turn/talk/1';

interface Bench {
  readonly leases: Leases;
  readonly asked: AcquireOptions[];
  readonly released: string[];
  /** Asked at the same time, at most. */
  readonly most: () => number;
}

function open(leaseMs: number, answerAfterMs = 0): Bench {
  const asked: AcquireOptions[] = [];
  const released: string[] = [];
  let now = 0;
  let most = 0;
  let generation = 1;
  const leases = createLeases({
    leaseMs,
    log: { warn: () => undefined },
    client: {
      acquire: async (environment, options): Promise<AcquireResult> => {
        asked.push(options);
        now += 1;
        most = Math.max(most, now);
        await sleep(answerAfterMs);
        now -= 1;
        if (options.unreachableGeneration === generation) generation += 1;
        const handle = { environmentId: environment.environmentId, backend: environment.backend, state: {} };
        return { handle, generation, leasedUntil: new Date(Date.now() + options.leaseMs).toISOString() };
      },
      release: (_environmentId, who) => {
        released.push(who);
        return Promise.resolve();
      },
    },
  });
  onTestFinished(() => leases.close());
  return { leases, asked, released, most: () => most };
}

it('asks once for the calls of a turn, also when they come at once', async () => {
  const { leases, asked } = open(60_000, 20);
  await Promise.all([leases.hold(docker, holder), leases.hold(docker, holder)]);
  await leases.hold(docker, holder);
  expect(asked).toEqual([{ holder, leaseMs: 60_000 }]);
  await leases.hold(docker, 'turn/talk/2');
  expect(asked).toHaveLength(2);
});

it('renews a lease while a call works under it, and no longer', async () => {
  const { leases, asked } = open(200);
  await leases.hold(docker, holder);
  await until('two renewals', () => asked.length >= 3);
  leases.leave(docker, holder);
  await sleep(20);
  const before = asked.length;
  await sleep(400);
  expect(asked.length).toBe(before);
});

it('gives a lease back when the turn ends, also one that is still asked for', async () => {
  const { leases, released } = open(60_000, 30);
  await leases.hold(docker, holder);
  leases.end(holder);
  expect(released).toEqual([holder]);
  const late = leases.hold(docker, 'turn/talk/2');
  leases.end('turn/talk/2');
  await late;
  expect(released).toEqual([holder, 'turn/talk/2']);
});

it('asks a few at a time about one environment', async () => {
  const { leases, most } = open(60_000, 20);
  await Promise.all(Array.from({ length: 12 }, (_, index) => leases.hold(docker, `turn/c-${String(index)}/1`)));
  expect(most()).toBe(3);
});

it('has an environment looked at that could not be connected to', async () => {
  const { leases, asked } = open(60_000);
  const first = await leases.hold(docker, holder);
  leases.suspect(docker, first.generation);
  const second = await leases.hold(docker, holder);
  expect(asked.at(-1)).toMatchObject({ unreachableGeneration: 1 });
  expect(second.generation).toBe(2);
  await leases.hold(docker, holder);
  expect(asked).toHaveLength(2);
});

it('notices when a session finds its environment asleep, and passes everything else through', async () => {
  const asleep = new PortError('Terminal.Asleep', 'it sleeps');
  let lost = 0;
  const session = watchSession(
    {
      cwd: (key: string) => Promise.resolve(`/home/${key}`),
      forget: () => Promise.reject(asleep),
      listRuns: () => Promise.reject(new PortError('Terminal.Denied', 'no')),
    } as unknown as TerminalSession,
    () => (lost += 1),
  );
  expect(await session.cwd('talk')).toBe('/home/talk');
  await expect(session.forget('x')).rejects.toBe(asleep);
  await expect(session.listRuns('x')).rejects.toMatchObject({ code: 'Terminal.Denied' });
  expect(lost).toBe(1);
  expect(isUnreachable(asleep)).toBe(true);
});
