import { createHash, randomUUID } from 'node:crypto';
import type { ConversationRow } from '../../../store/ports.ts';
import { Refusal } from '../../refusal.ts';
import { chooseConversation, conversationIdFor } from '../../submit.ts';
import type { AnswerTarget } from '../answer.ts';
import type { ApiContext } from '../deps.ts';
import type { ModelCatalogue } from './models.ts';
import type { AskedTurn } from './requests.ts';
import { TurnFeed } from './turn-feed.ts';

/** Where a request's turn belongs. */
export type Place =
  /** The header's conversation, which is made if need be. */
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'existing'; readonly row: ConversationRow }
  /** One of its own, beginning with what was said before. */
  | { readonly kind: 'own' };

export interface RunRequest {
  readonly models: ModelCatalogue;
  readonly asked: AskedTurn;
  readonly place: Place;
  /** Prefix of the message's id; says where it came from. */
  readonly idPrefix: string;
  readonly idempotency: { readonly key: string; readonly requestHash: string } | null;
}

/** A request whose message is accepted. Whoever has it must let go of it in the end. */
export interface Run {
  readonly target: AnswerTarget;
  /** Seconds since 1970, the same for a repeated request. */
  readonly createdAt: number;
  readonly feed: TurnFeed;
}

/**
 * Accepts the message of a request.
 * Contract: a request repeated under its idempotency key gets the first one's message, also after a crash anywhere in
 * here. Rejects with a Refusal (another request under the same key, a bad conversation) or a PortError.
 */
export async function beginRun(context: ApiContext, request: RunRequest): Promise<Run> {
  const { inboundId, conversationId } = await reserve(context, request);
  // A repeat may find its message in a conversation that is not its own.
  const isOwn = request.place.kind === 'own' && conversationId === conversationIdFor(inboundId);
  if (isOwn) await prepareOwn(context, conversationId, request);
  const feed = new TurnFeed(context, conversationId);
  try {
    const { decided } = await context.submit({
      inboundId,
      text: request.asked.text,
      platform: 'api',
      conversation: { id: conversationId },
      // Each request waits for an answer of its own.
      busyMode: 'queue',
    });
    const approval = decided === null ? null : await context.store.approvals.get(decided);
    const target = { conversationId, inboundId, turn: approval?.turn ?? null };
    feed.follow(target);
    const row = await context.store.inbox.get(inboundId);
    const receivedAt = row?.receivedAt ?? approval?.decidedAt ?? new Date().toISOString();
    return { target, createdAt: Math.floor(Date.parse(receivedAt) / 1000), feed };
  } catch (error) {
    feed.close();
    throw error;
  }
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Decides on ids. The conversation is made before the key is reserved: one that is missing later was deleted. */
async function reserve(
  context: ApiContext,
  request: RunRequest,
): Promise<{ inboundId: string; conversationId: string }> {
  const { store } = context;
  const { idempotency } = request;
  const inboundId = `${request.idPrefix}${randomUUID().replaceAll('-', '')}`;
  if (idempotency === null) return { inboundId, conversationId: await makePlace(context, request, inboundId) };
  const known = await store.idempotency.find(idempotency.key);
  const conversationId = known?.conversationId ?? (await makePlace(context, request, inboundId));
  const { existing, mismatch } = await store.idempotency.reserve({ ...idempotency, inboundId, conversationId });
  if (existing === null) return { inboundId, conversationId };
  // The same request was faster by a hair, with a conversation of its own.
  if (known === null && request.place.kind === 'own') await store.conversations.delete(conversationId);
  if (mismatch) {
    throw new Refusal('Api.KeyReused', 'This idempotency key was used for another request.', {
      hint: 'Use a new key for a new request.',
    });
  }
  if ((await store.conversations.get(existing.conversationId)) !== null) return existing;
  throw new Refusal('Api.Conflict', 'The conversation of this idempotency key was deleted.');
}

async function makePlace(context: ApiContext, request: RunRequest, inboundId: string): Promise<string> {
  const { place, asked } = request;
  if (place.kind === 'existing') return place.row.id;
  const { store, personId } = context;
  const common = { inboundId, platform: 'api', personId, instructions: asked.instructions };
  if (place.kind === 'named') {
    return (await chooseConversation(store, { ...common, conversation: { name: place.name } })).id;
  }
  const instructions = asked.instructions === undefined ? {} : { instructions: asked.instructions };
  const id = conversationIdFor(inboundId);
  return (await store.conversations.create({ id, personId, platform: 'api', ...instructions })).id;
}

/** Both are idempotent, so a repeat after a crash in between completes them. */
async function prepareOwn(context: ApiContext, conversationId: string, request: RunRequest): Promise<void> {
  const { earlier, model } = request.asked;
  if (earlier.length > 0) await context.store.transcript.seed(conversationId, earlier);
  // `provider:name` picks the model; any other word is only echoed.
  if (model.includes(':') && (await request.models.has(model))) {
    await context.store.conversations.update(conversationId, { model });
  }
}
