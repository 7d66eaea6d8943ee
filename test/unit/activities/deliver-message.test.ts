import { describe, expect, it } from 'vitest';
import { deliverMessage } from '../../../src/activities/deliver-message.ts';
import type { OutboundGateway } from '../../../src/activities/deps.ts';
import type { DeliverMessageInput } from '../../../src/contracts/activities.ts';
import type { FailureType } from '../../../src/contracts/failure-types.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { commitOf } from '../store/support/commit-of.ts';
import { conversationId, openActivityBench, secret, type ActivityBench } from './support/activity-bench.ts';

const to = { platform: 'telegram', chat: '1' };
const answerInput: DeliverMessageInput = { conversationId, turn: 1, to, what: { kind: 'answer' } };
const calm = (): AbortSignal => new AbortController().signal;

type Fate = FailureType | 'killed-before' | 'killed-after';

/** A chat that keeps what it was sent, and fails as it is told, once per entry. */
class Chat implements OutboundGateway {
  readonly shown: { readonly key: string; readonly text: string }[] = [];
  requests = 0;
  private readonly fates: (Fate | null)[];
  private readonly knows: 'keys' | 'messages' | 'nothing';

  constructor(knows: 'keys' | 'messages' | 'nothing' = 'nothing', ...fates: (Fate | null)[]) {
    this.knows = knows;
    this.fates = fates;
  }

  split(_to: unknown, text: string): readonly string[] {
    return text.split('|');
  }

  send(_to: unknown, text: string, { key }: { key: string }): Promise<{ messageId: string }> {
    this.requests += 1;
    const fate = this.fates.shift() ?? null;
    if (fate === 'killed-before') return Promise.reject(new Error('the process dies here'));
    const arrives = fate === null || fate === 'killed-after' || fate === 'Platform.Ambiguous';
    const isRepeat = this.knows === 'keys' && this.shown.some((one) => one.key === key);
    if (arrives && !isRepeat) this.shown.push({ key, text });
    if (fate === 'killed-after') return Promise.reject(new Error('the process dies here'));
    if (fate !== null) return Promise.reject(new PortError(fate, `refused: ${fate}`));
    return Promise.resolve({ messageId: `m-${String(this.requests)}` });
  }

  reconcile(_to: unknown, key: string): ReturnType<OutboundGateway['reconcile']> {
    if (this.knows !== 'messages') return Promise.resolve({ state: 'unknown' });
    const index = this.shown.findIndex((one) => one.key === key);
    return Promise.resolve(index < 0 ? { state: 'absent' } : { state: 'sent', messageId: `m-${String(index + 1)}` });
  }

  idempotent(): boolean {
    return this.knows === 'keys';
  }

  get texts(): readonly string[] {
    return this.shown.map((one) => one.text);
  }
}

async function answered(chat: Chat, text: string): Promise<ActivityBench> {
  const bench = await openActivityBench({ outbound: chat });
  await bench.store.steps.begin({ conversationId, turn: 1, step: 1, inboundIds: [await bench.accept('in-1')] });
  await bench.store.steps.commit(commitOf(conversationId, 1, 1, { text }));
  return bench;
}

const partOf = (bench: ActivityBench, part = 0) => bench.store.outbox.claim(`${conversationId}/1/part-${String(part)}`);

describe('an answer', () => {
  it('is shown once, in the order of its parts, however often it is delivered', async () => {
    const chat = new Chat();
    const bench = await answered(chat, 'one|two|three');
    expect(await deliverMessage(bench.deps, answerInput, calm())).toEqual({ state: 'sent', preview: 'one|two|three' });
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'sent' });
    expect(chat.texts).toEqual(['one', 'two', 'three']);
    expect(await partOf(bench, 2)).toMatchObject({ state: 'sent', platformMessageId: 'm-3' });
  });

  it('goes on with the part that was refused for now', async () => {
    const chat = new Chat('nothing', null, 'Platform.RateLimited');
    const bench = await answered(chat, 'one|two|three');
    await expect(deliverMessage(bench.deps, answerInput, calm())).rejects.toMatchObject({
      code: 'Platform.RateLimited',
    });
    expect(chat.texts).toEqual(['one']);
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'sent' });
    expect(chat.texts).toEqual(['one', 'two', 'three']);
  });

  it('stops at a part nobody is there for, and is not tried again', async () => {
    const chat = new Chat('nothing', null, 'Platform.RecipientGone');
    const bench = await answered(chat, 'one|two|three');
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'failed' });
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'failed' });
    expect(chat.texts).toEqual(['one']);
    expect(chat.requests).toBe(2);
    expect(await partOf(bench, 1)).toMatchObject({ state: 'failed', error: 'refused: Platform.RecipientGone' });
  });

  it('begins no further part once its worker ends', async () => {
    const chat = new Chat();
    const bench = await answered(chat, 'one|two');
    await expect(deliverMessage(bench.deps, answerInput, AbortSignal.abort(new Error('ending')))).rejects.toThrow(
      'ending',
    );
    expect(chat.requests).toBe(0);
  });

  it('carries no secret', async () => {
    const chat = new Chat();
    const bench = await answered(chat, `the key is ${secret}`);
    await deliverMessage(bench.deps, answerInput, calm());
    expect(chat.texts.join()).not.toContain(secret);
  });

  it('is nothing to send when it is empty', async () => {
    const chat = new Chat();
    const bench = await answered(chat, '');
    expect(await deliverMessage(bench.deps, answerInput, calm())).toEqual({ state: 'sent', preview: '' });
    expect(chat.requests).toBe(0);
  });
});

describe.each(['killed-before', 'killed-after'] as const)('a part whose sender is %s it arrives', (fate) => {
  it.each(['keys', 'messages'] as const)('is shown once where the platform knows %s', async (knows) => {
    const chat = new Chat(knows, fate);
    const bench = await answered(chat, 'one|two');
    await expect(deliverMessage(bench.deps, answerInput, calm())).rejects.toThrow('dies here');
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'sent' });
    expect(chat.texts).toEqual(['one', 'two']);
    expect(await partOf(bench)).toMatchObject({ state: 'sent' });
  });

  it('is ambiguous and never sent again where the platform cannot tell', async () => {
    const chat = new Chat('nothing', fate);
    const bench = await answered(chat, 'one|two');
    await expect(deliverMessage(bench.deps, answerInput, calm())).rejects.toThrow('dies here');
    for (let attempt = 2; attempt < 4; attempt += 1) {
      expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'ambiguous' });
    }
    expect(chat.requests).toBe(2);
    expect(chat.texts.at(-1)).toBe('two');
    expect(await partOf(bench)).toMatchObject({ state: 'ambiguous' });
  });
});

describe('a part the platform does not confirm', () => {
  it('is shown once where the platform knows keys', async () => {
    const chat = new Chat('keys', 'Platform.Ambiguous');
    const bench = await answered(chat, 'one');
    await expect(deliverMessage(bench.deps, answerInput, calm())).rejects.toMatchObject({ retryable: true });
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'sent' });
    expect(chat.texts).toEqual(['one']);
  });

  it('is found at once where the platform knows messages', async () => {
    const chat = new Chat('messages', 'Platform.Ambiguous');
    const bench = await answered(chat, 'one');
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'sent' });
    expect(chat.requests).toBe(1);
    expect(await partOf(bench)).toMatchObject({ state: 'sent', platformMessageId: 'm-1' });
  });

  it('is ambiguous and never sent again where the platform cannot tell', async () => {
    const chat = new Chat('nothing', 'Platform.Ambiguous');
    const bench = await answered(chat, 'one');
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'ambiguous' });
    expect(await deliverMessage(bench.deps, answerInput, calm())).toMatchObject({ state: 'ambiguous' });
    expect(chat.requests).toBe(1);
  });
});

it('a question is delivered with its choices, beside the answer', async () => {
  const chat = new Chat();
  const bench = await answered(chat, 'the answer');
  const approvalId = `ask:${conversationId}/1/1/0`;
  await bench.store.approvals.ask({
    id: approvalId,
    conversationId,
    turn: 1,
    kind: 'question',
    title: 'Tea or coffee?',
    detail: 'It is late.',
    choices: ['tea', 'coffee'],
    tool: null,
    ruleKey: null,
    callKey: null,
  });
  const ask: DeliverMessageInput = { ...answerInput, what: { kind: 'ask', approvalId } };
  expect(await deliverMessage(bench.deps, ask, calm())).toMatchObject({ state: 'sent' });
  expect(await deliverMessage(bench.deps, ask, calm())).toMatchObject({ state: 'sent' });
  await deliverMessage(bench.deps, answerInput, calm());
  expect(chat.texts).toEqual(['Tea or coffee?\n\nIt is late.\n\n- tea\n- coffee', 'the answer']);
});
