import { afterAll, beforeAll, expect, it } from 'vitest';
import { Crowd } from '../support/platforms/crowd.ts';
import { factsOf, memoryFact } from '../support/platforms/crowd-facts.ts';
import { knownIds } from '../support/platforms/known.ts';

/** Every platform at once, 20 people on each, who write in bursts for two minutes to one service. */

const chats = 20;
const talkMs = 120_000;
const drainMs = 120_000;

let crowd: Crowd;

beforeAll(
  async () => {
    crowd = await Crowd.gather({ platforms: knownIds, chats, seed: 5 });
    await crowd.talk(talkMs);
    await crowd.drained(drainMs);
  },
  120_000 + talkMs + drainMs,
);

afterAll(async () => {
  await crowd.leave();
});

it('everybody writes all the time', () => {
  const least = Math.min(...crowd.chatters.map(({ said }) => said.length));
  expect(least).toBeGreaterThan(10);
});

it('keeps order, loses nothing, doubles nothing, mixes up nothing and tells no secret', () => {
  const facts = factsOf(crowd, { killed: false });
  expect(facts).toEqual(facts.map(({ name }) => ({ name, against: [] })));
});

it('does not grow', () => {
  expect(memoryFact(crowd)).toMatchObject({ against: [] });
});
