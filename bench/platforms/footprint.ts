import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KnownId } from '../../test/support/platforms/known.ts';
import type { InstantModel } from '../instant-model.ts';
import { percentile, residentMb, type Row } from '../measure.ts';
import { MeasuredAccount } from './account.ts';

/** What a service takes, in the middle of a few starts. */
export interface Footprint {
  readonly residentMb: number;
  readonly readyMs: number;
  readonly connectedMs: number;
  /** Scripts and modules in the process. */
  readonly modules: number;
}

const starts = 3;
const settleMs = 4_000;
const countEveryMs = 100;

/** @param id the one platform that is configured; null: none is. */
export async function footprintOf(id: KnownId | null, model: InstantModel): Promise<Footprint> {
  const account = await MeasuredAccount.create(id, { model, chats: 1 });
  try {
    // Pairs where that is needed, and makes the store.
    await account.start();
    await account.stop();
    const found: { residentMb: number; readyMs: number; connectedMs: number }[] = [];
    for (let index = 0; index < starts; index += 1) {
      const times = await account.start();
      await sleep(settleMs);
      found.push({ ...times, residentMb: residentMb(account.one.pid('all')) });
      await account.stop();
    }
    const middle = (of: (one: (typeof found)[number]) => number): number => percentile(found.map(of), 0.5);
    return {
      residentMb: middle((one) => one.residentMb),
      readyMs: middle((one) => one.readyMs),
      connectedMs: middle((one) => one.connectedMs),
      modules: await modulesWith(id, model),
    };
  } finally {
    await account.dispose();
  }
}

export function footprintRows(id: KnownId, own: Footprint, bare: Footprint): Row[] {
  return [
    { name: `${id}: memory of the service, more than without`, value: own.residentMb - bare.residentMb, unit: 'MB' },
    { name: `${id}: service ready, later than without`, value: own.readyMs - bare.readyMs, unit: 'ms' },
    { name: `${id}: connected after the start of the service`, value: own.connectedMs, unit: 'ms' },
    { name: `${id}: modules loaded, more than without`, value: own.modules - bare.modules, unit: '' },
  ];
}

/** In a process of its own: being looked at makes it slow. */
async function modulesWith(id: KnownId | null, model: InstantModel): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'hermes-modules-'));
  const file = join(folder, 'count');
  const nodeOptions = [`--import=data:text/javascript,${encodeURIComponent(counter(file))}`];
  const account = await MeasuredAccount.create(id, { model, chats: 1, nodeOptions });
  try {
    await account.start();
    await sleep(20 * countEveryMs);
    return Number(readFileSync(file, 'utf8'));
  } finally {
    await account.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A module that keeps writing into a file how many files of JavaScript its process has loaded. */
function counter(file: string): string {
  return `
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { isMainThread } from 'node:worker_threads';
if (isMainThread && process.argv.includes('--role')) {
  const loaded = new Set();
  const session = new Session();
  session.connect();
  session.on('Debugger.scriptParsed', ({ params: { url } }) => /^(file:|\\/)/.test(url) && loaded.add(url));
  session.post('Debugger.enable');
  setInterval(() => {
    writeFileSync(${JSON.stringify(`${file}.new`)}, String(loaded.size));
    renameSync(${JSON.stringify(`${file}.new`)}, ${JSON.stringify(file)});
  }, ${String(countEveryMs)}).unref();
}`;
}
