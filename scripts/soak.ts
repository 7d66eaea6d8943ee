/**
 * All platforms at once for as long as wanted: `npm run soak -- --minutes 60 --chats 20 [--kill] [--seed 5]`. Prints a
 * line per minute and, at the end, what must hold; exit code 1 when something does not. With `--kill` the service gets
 * SIGKILL every minute or two.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Crowd } from '../test/support/platforms/crowd.ts';
import { factsOf, memoryFact } from '../test/support/platforms/crowd-facts.ts';
import { knownIds } from '../test/support/platforms/known.ts';

const minuteMs = 60_000;
const drainMs = 5 * minuteMs;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    chats: { type: 'string', default: '20' },
    seed: { type: 'string', default: '5' },
    kill: { type: 'boolean', default: false },
  },
});
const minutes = positive('minutes');
const chats = Math.ceil(positive('chats'));
const seed = Math.floor(positive('seed'));

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const crowd = await Crowd.gather({ platforms: knownIds, chats, seed });
const began = Date.now();
let kills = 0;
let holds = false;
// Nothing is left behind by a person who has seen enough.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void crowd.leave().then(() => process.exit(130)));
try {
  say(`${String(chats)} people on each of ${knownIds.join(', ')} for ${String(minutes)} minutes, seed ${String(seed)}`);
  const ending = new AbortController();
  const saying = setInterval(() => say(line()), minuteMs);
  const killing = values.kill ? killNowAndThen(ending.signal) : Promise.resolve();
  try {
    await Promise.all([crowd.talk(minutes * minuteMs).finally(() => ending.abort()), killing]);
    await crowd.drained(drainMs);
  } finally {
    ending.abort();
    clearInterval(saying);
  }
  say(line());
  const facts = factsOf(crowd, { killed: values.kill });
  // A service that begins anew says nothing about how one grows.
  const all = values.kill ? facts : [...facts, memoryFact(crowd)];
  for (const { name, against } of all)
    say([`${against.length === 0 ? 'holds' : 'FAILS'}: ${name}`, ...against].join('\n  '));
  holds = all.every(({ against }) => against.length === 0);
} finally {
  await crowd.leave();
}
process.exit(holds ? 0 : 1);

function line(): string {
  const { messages, answers, waiting, ambiguous, residentMb } = crowd.numbers();
  const minute = ((Date.now() - began) / minuteMs).toFixed(0).padStart(3);
  const killed = values.kill ? `, ${String(kills)} kills` : '';
  return `minute ${minute}: ${String(messages)} messages, ${String(answers)} answers, ${String(waiting)} waiting, ${String(ambiguous)} ambiguous, ${residentMb.toFixed(0)} MB${killed}`;
}

async function killNowAndThen(signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(minuteMs * (1 + Math.random()), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    kills += 1;
    await crowd.killService();
  }
}

function positive(name: 'minutes' | 'chats' | 'seed'): number {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value > 0) return value;
  process.stderr.write(`--${name} must be a number above 0, not ${values[name]}\n`);
  process.exit(2);
}
