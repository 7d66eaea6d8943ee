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
    const session = await backend.connect(handle);
    const ours = await repeat(commands, () => timed(() => command(session, 'true')));
    const bare = await repeat(commands, () => timed(() => place.bare(handle)));
    const [up, down] = await files(session);
    const rows: Row[] = [
      { name: `${name}: cold create and first command`, value: coldMs, unit: 'ms' },
      {
        name: `${name}: command round trip, p50`,
        value: percentile(ours, 0.5),
        unit: 'ms',
        target: Math.round(percentile(bare, 0.5) * 1.5 + 20),
      },
      {
        name: `${name}: command round trip, p95`,
        value: percentile(ours, 0.95),
        unit: 'ms',
        target: Math.round(percentile(bare, 0.95) * 1.5 + 20),
      },
      { name: `${name}: the bare client's own, p50`, value: percentile(bare, 0.5), unit: 'ms' },
      { name: `${name}: file there`, value: up, unit: 'MB/s' },
      { name: `${name}: file back`, value: down, unit: 'MB/s' },
    ];
    if (!backend.hibernates) return rows;
    const [wakeMs, held] = await sleepAndWake(place, handle);
    handle = wakeMs.handle;
    return [
      ...rows,
      { name: `${name}: wake and first command`, value: wakeMs.ms, unit: 'ms', target: 1_000 },
      { name: `${name}: processes and connections held asleep`, value: held, unit: '', target: 0 },
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

async function sleepAndWake(
  place: Place,
  handle: EnvironmentHandle,
): Promise<readonly [{ ms: number; handle: EnvironmentHandle }, number]> {
  const { backend } = place;
  const asleep = await backend.hibernate(handle);
  // Idle connections end by themselves within a few seconds at the latest.
  await sleep(6_000);
  const left = place.held();
  let awake = asleep;
  const ms = await timed(async () => {
    awake = await backend.resume(asleep);
    await command(await backend.connect(awake), 'true');
  });
  return [{ ms, handle: awake }, left];
}

const wanted = process.argv.slice(2);
const rows: Row[] = [];
for (const [name, open] of Object.entries(places)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stderr.write(`${name}\n`);
  rows.push(...(await measure(await open())));
}
process.stdout.write(`${table(rows)}\n${JSON.stringify(rows)}\n`);
process.exit(0);
