import { setTimeout as sleep } from 'node:timers/promises';
import { newInboundId, until } from '../../test/support/installation.ts';
import type { KnownId, KnownPlatform } from '../../test/support/platforms/known.ts';
import type { TestChat } from '../../test/support/platforms/platform-server.ts';
import type { InstantModel } from '../instant-model.ts';
import { percentile, type Row } from '../measure.ts';
import { MeasuredAccount } from './account.ts';

/** So many that no chat is asked again before its platform lets it be. */
const chats = 24;
const rounds = 5;
const targetMs = 15;

interface Way {
  /** From what the person did to the model's request. */
  readonly inMs: number[];
  /** From the model's last byte to what the person sees. */
  readonly outMs: number[];
}

/** What a platform adds to a turn, beside the same turn through the API of the same installation. */
export async function latencyOf(id: KnownId, model: InstantModel): Promise<Row[]> {
  const account = await MeasuredAccount.create(id, { model, chats });
  const { platform } = account;
  if (platform === null) throw new Error(`there is no platform ${id}`);
  try {
    await account.start();
    const there: Way = { inMs: [], outMs: [] };
    const api: Way = { inMs: [], outMs: [] };
    for (let round = 0; round < rounds; round += 1) {
      for (let index = 0; index < chats; index += 1) {
        const words = `turn ${String(round)} of ${String(index)}`;
        const byPlatform = await throughPlatform(platform, model, index, words);
        const byApi = await throughApi(account, model, index, `${words}, by the API`);
        // The first turn of a conversation starts it.
        if (round > 0) {
          add(there, byPlatform);
          add(api, byApi);
        }
        await sleep(platform.descriptor.capabilities.paceMs.account + 20);
      }
    }
    const edits = await editsOfSlowAnswer(platform, model);
    return [
      ...rowsOf(id, there, api),
      { name: `${id}: edits of an answer that grows for 8 s`, value: edits, unit: '' },
    ];
  } finally {
    await account.dispose();
  }
}

function rowsOf(id: string, there: Way, api: Way): Row[] {
  const legs = [
    { what: 'event to model request', ours: there.inMs, bare: api.inMs },
    { what: 'answer to platform call', ours: there.outMs, bare: api.outMs },
  ];
  const shares = [
    { name: 'p50', share: 0.5 },
    { name: 'p95', share: 0.95 },
  ];
  return legs.flatMap(({ what, ours, bare }) =>
    shares.flatMap(({ name, share }): Row[] => [
      {
        name: `${id}: ${what} over the API's, no burst pause, ${name}`,
        value: percentile(ours, share) - percentile(bare, share),
        unit: 'ms',
        target: targetMs,
      },
      {
        name: `  of ${percentile(bare, share).toFixed(1)} ms through the API, ${name}`,
        value: percentile(ours, share),
        unit: 'ms',
      },
    ]),
  );
}

interface Turn {
  readonly inMs: number;
  readonly outMs: number;
}

async function throughPlatform(
  platform: KnownPlatform,
  model: InstantModel,
  index: number,
  words: string,
): Promise<Turn> {
  const chat = platform.direct(index);
  const before = platform.server.messages(chat).length;
  const saidAt = performance.now();
  await platform.server.says({ chat, from: platform.person(index), text: words });
  await shown(platform, chat, before + 1);
  return turnOf(model, words, saidAt, performance.now());
}

async function throughApi({ one }: MeasuredAccount, model: InstantModel, index: number, words: string): Promise<Turn> {
  const inboundId = newInboundId();
  const saidAt = performance.now();
  await one.submit({ inboundId, text: words, conversation: { name: `api-${String(index)}` } });
  await one.answer(inboundId);
  return turnOf(model, words, saidAt, performance.now());
}

function turnOf(model: InstantModel, words: string, saidAt: number, seenAt: number): Turn {
  const { asked, askedAt, answeredAt } = model.newest();
  if (!asked.includes(words) || answeredAt === null) throw new Error(`"${words}" was answered after "${asked}"`);
  return { inMs: askedAt - saidAt, outMs: seenAt - answeredAt };
}

async function editsOfSlowAnswer(platform: KnownPlatform, model: InstantModel): Promise<number> {
  const chat = platform.direct(0);
  const before = platform.server.messages(chat).length;
  await platform.server.says({ chat, from: platform.person(0), text: 'slowly: tell me' });
  await until('the answer has been written', () => {
    const { asked, answeredAt } = model.newest();
    return asked.includes('slowly:') && answeredAt !== null;
  });
  await until('the answer is shown whole', () =>
    platform.server
      .messages(chat)
      .slice(before)
      .some(({ text }) => text.includes('sentence 79')),
  );
  return platform.server
    .messages(chat)
    .slice(before)
    .reduce((sum, { edits }) => sum + edits, 0);
}

/** Looked at every millisecond: what is measured is longer, and looking oftener would take the service's processor. */
async function shown(platform: KnownPlatform, chat: TestChat, count: number): Promise<void> {
  const endAt = performance.now() + 30_000;
  while (platform.server.messages(chat).length < count) {
    if (performance.now() > endAt) throw new Error(`${platform.id} shows no answer`);
    await sleep(1);
  }
}

function add(way: Way, { inMs, outMs }: Turn): void {
  way.inMs.push(inMs);
  way.outMs.push(outMs);
}
