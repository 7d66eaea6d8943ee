/**
 * Measures what docs/performance.md says of chat platforms: `npm run bench -- platforms [id …]`. Each is the real SDK
 * against a local server of its protocol. A turn through the API of the same installation is what is subtracted.
 */
import { knownIds } from '../../test/support/platforms/known.ts';
import { machine } from '../installation.ts';
import { startInstantModel } from '../instant-model.ts';
import { table, type Row } from '../measure.ts';
import { footprintOf, footprintRows } from './footprint.ts';
import { latencyOf } from './latency.ts';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((id) => !knownIds.some((known) => known === id));
if (unknown.length > 0) {
  process.stderr.write(`there is no platform ${unknown.join(', ')}; there are ${knownIds.join(', ')}\n`);
  process.exit(2);
}

const model = await startInstantModel();
const bare = await footprintOf(null, model);
const rows: Row[] = [
  { name: 'memory of the service without platforms', value: bare.residentMb, unit: 'MB' },
  { name: 'service ready without platforms', value: bare.readyMs, unit: 'ms' },
  { name: 'modules loaded without platforms', value: bare.modules, unit: '' },
];
for (const id of knownIds) {
  if (wanted.length > 0 && !wanted.includes(id)) continue;
  const measured = [...(await latencyOf(id, model)), ...footprintRows(id, await footprintOf(id, model), bare)];
  rows.push(...measured);
  // At once: a platform that fails must not take with it what was measured before.
  process.stderr.write(`${table(measured)}\n`);
}
await model.stop();
process.stdout.write(`${machine()}\n\n${table(rows)}\n\n${JSON.stringify(rows)}\n`);
process.exit(0);
