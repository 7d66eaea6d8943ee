import { setTimeout as sleep } from 'node:timers/promises';
import type { ApprovalRow } from '../../store/ports.ts';
import type { PlatformEvent } from '../platforms/platform.ts';
import { Refusal } from '../refusal.ts';
import type { ButtonMeaning, InboundDeps } from './deps.ts';
import { wordsOf } from './failures.ts';
import { inboundIdOf } from './names.ts';
import type { Speaker } from './speaker.ts';

export type ButtonEvent = Extract<PlatformEvent, { kind: 'button' }>;

const acknowledgeWithinMs = 5_000;

/**
 * Decides what a button stands for, if whoever pressed it may, and tells the person's client how it ended. Idempotent by
 * the event's key.
 *
 * @returns what to say in the chat, where the platform has no other way to answer a press that came to nothing
 */
export async function pressButton(event: ButtonEvent, speaker: Speaker, deps: InboundDeps): Promise<string> {
  const by = `${speaker.account}:${inboundIdOf(speaker.account, event.key)}`;
  const { text, decided } = await decideBy(event, speaker, by, deps);
  const outbound = deps.connection(speaker.account)?.outbound;
  if (outbound?.acknowledgeButton === undefined) return decided ? '' : text;
  const limit = new AbortController();
  try {
    // Losing it is harmless, so it may not hold the chat.
    const late = sleep(acknowledgeWithinMs, undefined, { signal: limit.signal, ref: false }).catch(() => undefined);
    await Promise.race([outbound.acknowledgeButton(event, text), late]);
  } catch (error) {
    deps.log.debug({ account: speaker.account, key: event.key, error: wordsOf(error) }, 'a press was not acknowledged');
  } finally {
    limit.abort();
  }
  return '';
}

async function decideBy(
  event: ButtonEvent,
  speaker: Speaker,
  by: string,
  deps: InboundDeps,
): Promise<{ text: string; decided: boolean }> {
  const found = /^(.+):(\d{1,3})$/.exec(event.data);
  const meaning = found === null ? null : await deps.buttonOf(found[1] ?? '', event.messageId);
  const choice = meaning?.choices[Number(found?.[2])];
  if (meaning === null || choice === undefined) return { text: 'This button means nothing any more.', decided: false };
  const asked = await deps.store.approvals.get(meaning.approvalId);
  if (asked === null) return { text: 'This is not asked any more.', decided: false };
  if (asked.personId !== speaker.personId) return { text: 'This is not yours to decide.', decided: false };
  if (speaker.chat.kind === 'group' && !speaker.isAdmin) {
    return { text: 'In a group only admins decide.', decided: false };
  }
  try {
    const { decided, row } = await deps.decide({
      approvalId: asked.id,
      decision: choice.decision,
      scope: choice.scope ?? 'once',
      answer: choice.answer ?? null,
      by,
      isAdmin: speaker.isAdmin,
    });
    if (decided || row.decidedBy === by) return { text: choice.label, decided: true };
    return { text: howDecided(row, meaning), decided: false };
  } catch (error) {
    if (error instanceof Refusal) return { text: error.message, decided: false };
    throw error;
  }
}

function howDecided(row: ApprovalRow, meaning: ButtonMeaning): string {
  switch (row.state) {
    case 'approved':
      return 'This was approved already.';
    case 'denied':
      return 'This was refused already.';
    case 'answered': {
      const known = meaning.choices.some(({ answer }) => answer === row.answer);
      return known && row.answer !== null ? `This was answered already: ${row.answer}` : 'This was answered already.';
    }
    case 'closed':
      return 'This is not asked any more.';
    case 'waiting':
      return 'This is still open.';
  }
}
