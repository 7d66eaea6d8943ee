import { createHash } from 'node:crypto';
import type { BaseLogger } from 'pino';
import type { ReplyAddress } from '../contracts/conversation.ts';
import type { BusyMode } from '../domain/busy-mode.ts';
import { isConversationId } from '../domain/ids.ts';
import { PortError } from '../lib/port-error.ts';
import type { ApprovalRow, ConversationRow, Store } from '../store/ports.ts';
import type { StreamBus } from '../stream/bus.ts';
import type { StartHints } from './conversation-client.ts';
import { createDecide, type Decide, type DecideMessage } from './decide.ts';
import { readDecisionWords } from './decision-words.ts';
import { Refusal } from './refusal.ts';
import type { Relay } from './relay.ts';

/** Which conversation a message belongs to; absent: the person's current one. */
type ConversationChoice =
  { readonly id: string } | { readonly name: string } | { readonly new: true; readonly title?: string | undefined };

export interface SubmitMessage {
  /** Unique for ever; a repeat changes nothing and answers the same. */
  readonly inboundId: string;
  readonly text: string;
  readonly platform: string;
  readonly conversation?: ConversationChoice | undefined;
  readonly busyMode?: BusyMode | undefined;
  /** `provider:name`; sets the model of the conversation, before the message is taken. */
  readonly model?: string | undefined;
  readonly replyTo?: ReplyAddress | undefined;
  /** The owner of the service unless named. */
  readonly personId?: string | undefined;
  /** What waits for a word and may take it from this text; absent: everything, said now by the owner. */
  readonly decides?: 'nothing' | WordOf | undefined;
}

interface WordOf {
  /** ISO. Nobody answers what had not been asked by then. */
  readonly saidAt: string;
  /** As in DecideMessage. */
  readonly isAdmin: boolean;
}

interface SubmitResult {
  readonly inboundId: string;
  readonly conversationId: string;
  /** False for a repeat. */
  readonly created: boolean;
  /** The approval or question the text was taken as the answer to; then it starts no turn. */
  readonly decided: string | null;
}

/**
 * Accepts one message.
 * Contract: once it resolves the message is in the store and will reach its conversation, whatever dies. Idempotent by
 * `inboundId`, also for a message that decided something. Rejects with a Refusal when the message makes no sense and with
 * a PortError `Storage.*` when it could not be kept; then it was not accepted.
 */
export type Submit = (message: SubmitMessage) => Promise<SubmitResult>;

export interface SubmitDeps {
  readonly store: Store;
  readonly relay: Relay;
  readonly bus: StreamBus;
  readonly personId: string;
  readonly log: BaseLogger;
}

export const longestText = 1_000_000;

export function createSubmit(deps: SubmitDeps): Submit {
  const { store, relay } = deps;
  const decide = createDecide(deps);
  return async (message) => {
    checkMessage(message);
    const known = await store.inbox.get(message.inboundId);
    if (known !== null) return repeated(known.conversationId, message, null);
    const taken = await decidedBefore(store, message);
    if (taken !== null) return repeated(taken.conversationId, message, taken.id);

    const personId = message.personId ?? deps.personId;
    const conversation = await chooseConversation(store, { ...message, personId });
    if (message.model !== undefined && message.model !== conversation.model) {
      await store.conversations.update(conversation.id, { model: message.model });
    }
    const decision = await takeAsDecision(store, decide, conversation, message);
    if (decision !== null) return decision;

    const { created, row } = await store.inbox.accept({
      id: message.inboundId,
      conversationId: conversation.id,
      personId,
      platform: message.platform,
      text: message.text,
      ...optionalBusyMode(message.busyMode ?? conversation.busyMode),
      ...(message.replyTo === undefined ? {} : { replyTo: message.replyTo }),
    });
    if (row.state === 'received') relay.signal(row, startHints(conversation));
    deps.log.debug({ inboundId: row.id, conversationId: row.conversationId, created }, 'message accepted');
    return { inboundId: row.id, conversationId: row.conversationId, created, decided: null };
  };
}

/**
 * Finds or makes the conversation a message names. Idempotent: what is made has an id derived from the message's.
 * Rejects with a Refusal when an id is unknown.
 */
export async function chooseConversation(
  store: Store,
  message: Pick<SubmitMessage, 'inboundId' | 'platform' | 'conversation'> & {
    personId: string;
    instructions?: string | undefined;
  },
): Promise<ConversationRow> {
  const { personId, platform, conversation: choice } = message;
  if (choice === undefined) return store.conversations.current(personId);
  if ('id' in choice) {
    const row = isConversationId(choice.id) ? await store.conversations.get(choice.id) : null;
    if (row?.personId === personId) return row;
    throw new Refusal('Api.NotFound', `There is no conversation ${choice.id}.`, {
      hint: 'List them, or leave the conversation away for the current one.',
      param: 'conversation',
    });
  }
  const id = conversationIdFor(message.inboundId);
  const instructions = message.instructions === undefined ? {} : { instructions: message.instructions };
  if ('new' in choice) {
    const title = choice.title === undefined ? {} : { title: choice.title };
    return store.conversations.create({ id, personId, platform, ...title, ...instructions });
  }
  return (
    (await byName(store, personId, choice.name)) ??
    (await createNamed(store, { id, personId, platform, name: choice.name, ...instructions }))
  );
}

/** The id of a conversation that a message begins. */
export function conversationIdFor(inboundId: string): string {
  return `c-${createHash('sha256').update(inboundId).digest('hex').slice(0, 24)}`;
}

/** Under this key the store keeps which approval a message decided. */
export function decidedKey(inboundId: string): string {
  return `decided:${inboundId}`;
}

async function byName(store: Store, personId: string, name: string): Promise<ConversationRow | null> {
  const row = await store.conversations.find(personId, name);
  // A title is the model's choice of words; a message must not land somewhere because two titles happen to be equal.
  return row !== null && (row.name === name || row.id === name) ? row : null;
}

async function createNamed(
  store: Store,
  conversation: { id: string; personId: string; platform: string; name: string; instructions?: string },
): Promise<ConversationRow> {
  try {
    return await store.conversations.create(conversation);
  } catch (error) {
    // Two first messages under one name at the same moment: the other was faster.
    const row = PortError.is(error) ? await byName(store, conversation.personId, conversation.name) : null;
    if (row === null) throw error;
    return row;
  }
}

async function decidedBefore(store: Store, message: SubmitMessage): Promise<ApprovalRow | null> {
  const entry = await store.idempotency.find(decidedKey(message.inboundId));
  if (entry === null) return null;
  const approval = await store.approvals.get(entry.inboundId);
  return approval?.decidedBy === spokenBy(message) ? approval : null;
}

/** The key is reserved before the decision is made, so that a repeat after a crash finds what the text was taken for. */
async function takeAsDecision(
  store: Store,
  decide: Decide,
  conversation: ConversationRow,
  message: SubmitMessage,
): Promise<SubmitResult | null> {
  if (message.decides === 'nothing') return null;
  const waiting = await store.approvals.list({ state: 'waiting', conversationId: conversation.id, limit: 50 });
  const reading = readAsDecision(waiting, message, message.decides);
  if (reading === null) return null;
  const { conversationId, id } = reading.approval;
  const entry = { requestHash: id, inboundId: id, conversationId };
  await store.idempotency.reserve({ key: decidedKey(message.inboundId), ...entry });
  const { decided, row } = await decide(reading.decision);
  // Somebody else was faster: what this person wrote is then an ordinary message, not lost.
  if (row.decidedBy !== spokenBy(message)) return null;
  return { inboundId: message.inboundId, conversationId, created: decided, decided: id };
}

interface Reading {
  readonly approval: ApprovalRow;
  readonly decision: DecideMessage;
}

/** The oldest thing that waits and that the text can answer. */
function readAsDecision(waiting: readonly ApprovalRow[], message: SubmitMessage, word?: WordOf): Reading | null {
  const spoken = readDecisionWords(message.text);
  const inOrder = waiting
    .filter(({ askedAt }) => word === undefined || askedAt <= word.saidAt)
    .sort((one, other) => one.askedAt.localeCompare(other.askedAt));
  for (const approval of inOrder) {
    const common = { approvalId: approval.id, by: spokenBy(message), isAdmin: word?.isAdmin ?? true };
    if (approval.kind === 'question') {
      const answer = chosen(approval.choices, message.text.trim());
      return { approval, decision: { ...common, decision: 'answer', scope: 'once', answer } };
    }
    if (spoken !== null) return { approval, decision: { ...common, ...spoken, answer: null } };
  }
  return null;
}

/** A choice may be named by its number or in another case; anything else is an answer in the person's own words. */
function chosen(choices: readonly string[], text: string): string {
  const byName = choices.find((choice) => choice.toLowerCase() === text.toLowerCase());
  const byNumber = /^\d{1,2}$/.test(text) ? choices[Number(text) - 1] : undefined;
  return byName ?? byNumber ?? text;
}

/** A conversation without a turn has nothing that its workflow would have to load. */
function startHints({ lastTurn, title }: ConversationRow): StartHints {
  return { fresh: lastTurn === 0, ...(title === '' ? {} : { title }) };
}

function spokenBy(message: SubmitMessage): string {
  return `${message.platform}:${message.inboundId}`;
}

function repeated(conversationId: string, message: SubmitMessage, decided: string | null): SubmitResult {
  return { inboundId: message.inboundId, conversationId, created: false, decided };
}

function checkMessage(message: SubmitMessage): void {
  const { inboundId, text } = message;
  if (inboundId.length < 8 || inboundId.length > 200) {
    throw new Refusal('Api.Invalid', 'An inbound id has 8 to 200 characters.', { param: 'inboundId' });
  }
  if (text.trim() === '') throw new Refusal('Api.Invalid', 'The message is empty.', { param: 'text' });
  if (text.length > longestText) {
    const hint = 'Put it into a file and name the file in the message.';
    throw new Refusal('Api.TooLarge', `A message has at most ${String(longestText)} characters.`, {
      hint,
      param: 'text',
    });
  }
}

function optionalBusyMode(busyMode: BusyMode | null): { busyMode?: BusyMode } {
  return busyMode === null ? {} : { busyMode };
}
