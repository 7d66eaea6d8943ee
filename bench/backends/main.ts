/**
 * Measures what docs/performance.md says of backends: `npm run bench -- backends [name …]`. Every engine is a real one on
 * this machine; Modal and Daytona are their own SDKs against local servers of their protocols.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EnvironmentHandle, TerminalSession } from '../../src/backends/backend.ts';
import { percentile, repeat, table, type Row } from '../measure.ts';
import { places, type Place } from './places.ts';

const commands = 40;
const fileBytes = 32 * 1024 * 1024;
const sessionKey = 'bench';

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** A command as a tool runs it: started under a key, read to its end. */
async function command(session: TerminalSession, line: string): Promise<void> {
  const key = `bench/${randomUUID()}`;
  await session.start({ key, sessionKey, command: line });
  for (let offset = 0; ;) {
    const { state, bytes } = await session.poll(key, { offset, maxBytes: 65_536, waitMs: 10_000 });
    offset += bytes.length;
    if (state.phase !== 'running' && offset >= state.outputBytes) return;
  }
}

async function measure(place: Place): Promise<Row[]> {
  const { name, backend } = place;
  const id = `bench-${String(process.pid)}`;
  let handle: EnvironmentHandle = { environmentId: id, backend: backend.id, state: {} };
  const coldMs = await timed(async () => {
    handle = await backend.create(id);
    await command(await backend.connect(handle), 'true');
  });
  try {
    const ours = await timesOf(async () => command(await backend.connect(handle), 'true'));
    const slept = backend.hibernates ? await sleepAndWake(place, handle) : null;
    handle = slept?.handle ?? handle;
    // After the sleep: what the bare client leaves open must not be counted.
    const bare = await timesOf(() => place.bare(handle));
    const [up, down] = await files(await backend.connect(handle));
    const limit = (share: number): number => Math.round(percentile(bare, share) * 1.5 + 20);
    const row = (what: string, value: number, unit: string, target?: number): Row => ({
      name: `${name}: ${what}`,
      value,
      unit,
      ...(target === undefined ? {} : { target }),
    });
    return [
      row('cold create and first command', coldMs, 'ms'),
      row('command round trip, p50', percentile(ours, 0.5), 'ms', limit(0.5)),
      row('command round trip, p95', percentile(ours, 0.95), 'ms', limit(0.95)),
      row("the bare client's own, p50", percentile(bare, 0.5), 'ms'),
      row('file there', up, 'MB/s'),
      row('file back', down, 'MB/s'),
      ...(slept === null
        ? []
        : [
            row('wake and first command', slept.wakeMs, 'ms', 1_000),
            row('processes and connections held asleep', slept.held, '', 0),
          ]),
    ];
  } finally {
    await backend.destroy(handle);
    await backend.close();
    await place.close();
  }
}

async function files(session: TerminalSession): Promise<readonly [number, number]> {
  const bytes = Buffer.alloc(fileBytes, 'x');
  const chunks = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += 1 << 20) yield await Promise.resolve(bytes.subarray(at, at + (1 << 20)));
  };
  const upMs = await timed(() => session.upload('bench.bin', chunks(), { sessionKey }));
  const downMs = await timed(async () => {
    const { stream } = await session.download('bench.bin', { sessionKey });
    let read = 0;
    for await (const chunk of stream) read += (chunk as Buffer).length;
    if (read !== fileBytes) throw new Error(`${String(read)} bytes came back`);
  });
  return [fileBytes / 1_000 / upMs, fileBytes / 1_000 / downMs];
}

interface Slept {
  readonly handle: EnvironmentHandle;
  readonly wakeMs: number;
  readonly held: number;
}

async function sleepAndWake({ backend, held }: Place, handle: EnvironmentHandle): Promise<Slept> {
  const asleep = await backend.hibernate(handle);
  // Idle connections end by themselves within a few seconds at the latest.
  await sleep(6_000);
  const left = held();
  let awake = asleep;
  const wakeMs = await timed(async () => {
    awake = await backend.resume(asleep);
    await command(await backend.connect(awake), 'true');
  });
  return { handle: awake, wakeMs, held: left };
}

async function timesOf(work: () => Promise<unknown>): Promise<number[]> {
  return repeat(commands, () => timed(work));
}

const wanted = process.argv.slice(2);
const rows: Row[] = [];
for (const [name, open] of Object.entries(places)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const measured = await measure(await open());
  rows.push(...measured);
  // At once: an engine that fails must not take with it what was measured before.
  process.stderr.write(`${table(measured)}\n`);
}
process.stdout.write(`${table(rows)}\n${JSON.stringify(rows)}\n`);
process.exit(0);
