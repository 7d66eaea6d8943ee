import type { DeliverMessageInput, DeliverMessageResult } from '../contracts/activities.ts';
import type { ReplyAddress } from '../contracts/conversation.ts';
import { PortError } from '../lib/port-error.ts';
import type { ActivityDeps } from './deps.ts';
import { clip } from './plan-calls.ts';

/**
 * Pushes a turn's answer or a question to its platform, part by part, through the outbox: each part is tried once per key.
 * A part whose fate is unknown is looked for on the platform; where the platform cannot tell it stays `ambiguous` and is
 * shown to the person, never repeated blindly.
 */
export async function deliverMessage(
  deps: ActivityDeps,
  input: DeliverMessageInput,
  signal: AbortSignal,
): Promise<DeliverMessageResult> {
  const { to, conversationId, turn } = input;
  const text = deps.redact(await textOf(deps, input));
  if (text === '') return { state: 'sent', preview: '' };
  let worst: DeliverMessageResult['state'] = 'sent';
  const name = input.what.kind === 'answer' ? `${conversationId}/${String(turn)}` : input.what.approvalId;
  for (const [part, content] of deps.outbound.split(to, text).entries()) {
    const id = `${name}/part-${String(part)}`;
    await deps.store.outbox.enqueue({ id, conversationId, to, text: content });
    const state = await sendPart(deps, { id, to, signal });
    if (state !== 'sent') worst = state;
    if (state === 'failed') break;
  }
  if (worst !== 'sent')
    deps.log.warn({ conversationId, turn, platform: to.platform, state: worst }, 'delivery not certain');
  return { state: worst, preview: clip(text, 120) };
}

interface Part {
  readonly id: string;
  readonly to: ReplyAddress;
  readonly signal: AbortSignal;
}

async function sendPart(deps: ActivityDeps, part: Part): Promise<DeliverMessageResult['state']> {
  part.signal.throwIfAborted();
  const before = await deps.store.outbox.claim(part.id);
  if (before.state === 'sent' || before.state === 'failed' || before.state === 'ambiguous') return before.state;
  if (before.state === 'sending') {
    const known = await lookFor(deps, part);
    if (known !== null) return known;
  }
  try {
    const sent = await deps.outbound.send(part.to, before.text, { key: part.id, signal: part.signal });
    return await settle(deps, part.id, 'sent', { platformMessageId: sent.messageId });
  } catch (error) {
    if (!PortError.is(error)) throw error;
    if (error.code === 'Platform.Ambiguous') return afterDoubt(deps, part, error);
    if (!error.code.startsWith('Platform.')) throw error;
    if (!error.retryable) return settle(deps, part.id, 'failed', { error: error.message });
    await deps.store.outbox.settle(part.id, { state: 'new', error: error.message });
    throw error;
  }
}

/** Finds out what became of a part that may have been sent. @returns null when it can be sent without doubling it. */
async function lookFor(deps: ActivityDeps, part: Part): Promise<DeliverMessageResult['state'] | null> {
  if (deps.outbound.idempotent(part.to)) return null;
  const found = await deps.outbound.reconcile(part.to, part.id);
  if (found.state === 'sent') return settle(deps, part.id, 'sent', { platformMessageId: found.messageId });
  return found.state === 'unknown' ? settle(deps, part.id, 'ambiguous', { error: 'sent, perhaps' }) : null;
}

/** Where the doubt can be resolved, the next attempt does it: a message under way may take a moment to be found. */
async function afterDoubt(deps: ActivityDeps, part: Part, error: PortError): Promise<DeliverMessageResult['state']> {
  const known = await lookFor(deps, part);
  if (known !== null) return known;
  throw new PortError('Platform.Unavailable', error.message, { cause: error, details: error.details });
}

async function settle(
  deps: ActivityDeps,
  id: string,
  state: DeliverMessageResult['state'],
  end: { platformMessageId?: string; error?: string },
): Promise<DeliverMessageResult['state']> {
  await deps.store.outbox.settle(id, { state, ...end });
  return state;
}

async function textOf(deps: ActivityDeps, input: DeliverMessageInput): Promise<string> {
  if (input.what.kind === 'ask') {
    const ask = await deps.store.approvals.get(input.what.approvalId);
    if (ask === null) return '';
    const choices = ask.choices.map((choice) => `- ${choice}`).join('\n');
    return [ask.title, ask.detail, choices].filter((part) => part !== '').join('\n\n');
  }
  const turn = await deps.store.turns.get(input.conversationId, input.turn);
  return turn?.answer ?? '';
}
