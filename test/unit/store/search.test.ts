import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { searchTerms } from '../../../src/store/search-terms.ts';
import type { Store } from '../../../src/store/ports.ts';
import { openTempStore } from './support/open-temp-store.ts';

type Lines = readonly (readonly ['user' | 'assistant', string])[];

async function talk(store: Store, id: string, lines: Lines, personId = 'anna'): Promise<void> {
  await store.conversations.create({ id, title: `About ${id}`, personId, platform: 'cli' });
  await store.transcript.seed(
    id,
    lines.map(([role, text]) => ({ role, text })),
  );
}

/** Talks about everyday things, which share words with each other but not their subject. */
async function withCorpus(): Promise<Store & { readonly file: string }> {
  const store = await openTempStore();
  await talk(store, 'garden', [
    ['user', 'My tomatoes have yellow leaves, what is wrong with the plants?'],
    ['assistant', 'Yellow leaves often mean too much water. Let the soil dry before you water again.'],
    ['user', 'And the basil beside them?'],
    ['assistant', 'Basil wants sun and little water too.'],
  ]);
  await talk(store, 'car', [
    ['user', 'The garage wants 900 euros for new brakes.'],
    ['assistant', 'For discs and pads on both axles that is a usual price.'],
    ['user', 'I booked the appointment for Thursday.'],
    ['assistant', 'Good. Remember to bring the service booklet.'],
  ]);
  await talk(store, 'dentist', [
    ['user', 'I booked an appointment, please note it down.'],
    ['assistant', 'Noted: dentist.'],
    ['user', 'It is about my wisdom teeth.'],
    ['assistant', 'I wish you little pain.'],
  ]);
  await talk(store, 'music', [
    ['user', 'Which café in Kraków had the jazz evening?'],
    ['assistant', 'You told me it was the Piwnica, on a Friday.'],
  ]);
  return store;
}

const find = (store: Store, text: string, maxResults = 3) =>
  store.search.search({ personId: 'anna', text, maxResults });

describe('the words of a question', () => {
  it('are those that carry something, each once', () => {
    expect(searchTerms('What did I tell you about the tomatoes, and when did I water the TOMATOES?')).toEqual([
      'tomatoes',
      'water',
    ]);
    expect(searchTerms("Didn't we talk about what's-his-name?")).toEqual(['name']);
    expect(searchTerms('who are you?')).toEqual(['who', 'are', 'you']);
    expect(searchTerms('?!')).toEqual([]);
  });
});

describe('searching conversations', () => {
  it('finds the talk a natural question is about, in whatever form the words are', async () => {
    const store = await withCorpus();
    for (const [question, expected] of [
      ['What was the advice about watering the tomato plant?', 'garden'],
      ['how much did the garage want for the brake', 'car'],
      ['cafe in krakow', 'music'],
      ['when is my wisdom tooth appointment at the dentist', 'dentist'],
    ] as const) {
      expect((await find(store, question))[0]?.conversationId, question).toBe(expected);
    }
  });

  it('ranks a message by its neighbours too', async () => {
    const store = await withCorpus();
    // Both talks have a message with both own words of the question; only the neighbours tell which one is meant.
    const [car] = await find(store, 'booked appointment garage brakes');
    expect(car).toMatchObject({ conversationId: 'car' });
    const about = await find(store, 'booked appointment dentist', 6);
    const rank = (excerpt: string) => about.findIndex((hit) => hit.excerpt.startsWith(excerpt));
    expect(rank('I booked an appointment, please')).toBe(0);
    expect(rank('I booked an appointment, please')).toBeLessThan(rank('I booked the appointment for Thursday'));
  });

  it('counts a neighbour half: the words themselves outrank the message beside them', async () => {
    const store = await withCorpus();
    const hits = await find(store, 'basil', 9);
    expect(hits.slice(0, 2).every((hit) => /basil/i.test(hit.excerpt))).toBe(true);
    const [own, , beside] = hits;
    expect(beside?.conversationId).toBe('garden');
    expect(beside?.excerpt).not.toMatch(/basil/i);
    expect(beside?.score).toBeLessThan(own?.score ?? 0);
  });

  it('does not reach further than two messages, nor into another conversation', async () => {
    const store = await openTempStore();
    await talk(store, 'long', [
      ['user', 'platypus'],
      ['assistant', 'one'],
      ['user', 'two'],
      ['assistant', 'three'],
    ]);
    await talk(store, 'next', [['user', 'four']]);
    expect((await find(store, 'platypus', 9)).map((hit) => hit.excerpt)).toEqual(['platypus', 'two', 'one']);
  });

  it('finds what was said by whom, in which month and on which day', async () => {
    const store = await withCorpus();
    const edit = new BetterSqlite3(store.file);
    edit.exec(`INSERT INTO Message (conversationId, personId, turn, step, slot, role, text, speaker, createdAt)
      VALUES ('garden', 'anna', 9, 1, 0, 'user', 'planted three rows', 'anna', '2026-03-14T10:00:00.000Z')`);
    edit.close();
    for (const question of ['what did I say in March?', '2026-03-14', 'that saturday in march', 'march anna']) {
      const [hit] = await find(store, question);
      expect(hit, question).toMatchObject({
        excerpt: 'planted three rows',
        at: '2026-03-14T10:00:00.000Z',
        speaker: 'anna',
      });
    }
  });

  it('takes quotes and operators as words', async () => {
    const store = await withCorpus();
    for (const text of [
      '"',
      "'; DROP TABLE Message; --",
      'tomatoes AND',
      'NEAR(a b',
      'text:',
      '*',
      '(((',
      'a* OR ^b',
      '{x} : y',
      '-basil',
      '\0',
      '😀',
      '" OR "',
    ]) {
      await expect(find(store, text)).resolves.toBeInstanceOf(Array);
    }
    expect((await find(store, '"tomatoes" AND ("water*')).at(0)?.conversationId).toBe('garden');
    expect(await find(store, 'zzz')).toEqual([]);
  });

  it('shows the words in the middle of a long message', async () => {
    const store = await openTempStore();
    const filler = 'lorem ipsum dolor sit amet '.repeat(200);
    await talk(store, 'long', [['user', `${filler} the aardvark sleeps ${filler}`]]);
    const [hit] = await find(store, 'aardvarks sleeping');
    expect(hit?.excerpt).toContain('aardvark sleeps');
    expect(hit?.excerpt.length).toBeLessThan(600);
    expect(hit?.title).toBe('About long');
  });

  it('shows nobody what another person said', async () => {
    const store = await withCorpus();
    await talk(store, 'secret', [['user', 'tomatoes tomatoes tomatoes']], 'ann');
    expect((await find(store, 'tomatoes', 9)).map((hit) => hit.conversationId)).not.toContain('secret');
    const other = await store.search.search({ personId: 'ann', text: 'tomatoes', maxResults: 9 });
    expect(other.map((hit) => hit.conversationId)).toEqual(['secret']);
    expect(await store.search.load({ personId: 'anna', conversationId: 'secret', maxChars: 99 })).toBeNull();
  });

  it('loads a conversation with its head and tail when it is too long', async () => {
    const store = await withCorpus();
    const whole = await store.search.load({ personId: 'anna', conversationId: 'car', maxChars: 10_000 });
    expect(whole).toMatchObject({ title: 'About car', messageCount: 4 });
    expect(whole?.text).toMatch(/anna: The garage wants.*\n\n.*assistant: For discs/);
    const cut = await store.search.load({ personId: 'anna', conversationId: 'car', maxChars: 200 });
    expect(cut?.text.length).toBeLessThanOrEqual(200);
    expect(cut?.text).toMatch(/garage[^]*left out[^]*booklet\.$/);
  });
});
