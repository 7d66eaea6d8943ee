import type { PlatformEventRow } from '../../store/platform-ports.ts';
import type { PlatformEvent } from '../platforms/platform.ts';

export type MessageEvent = Extract<PlatformEvent, { kind: 'message' }>;

/** A message as its turn has it: with the words of its last edit. */
export interface Member {
  readonly key: string;
  readonly event: MessageEvent;
}

/** Rows that become one turn, or how long it takes until that is known. */
export type Burst =
  { readonly kind: 'turn'; readonly joined: readonly number[] } | { readonly kind: 'wait'; readonly ms: number };

/** Platforms that tell times in seconds make messages of one second look apart. */
const roughTimesMs = 1_000;
/** Somebody who never pauses is answered nevertheless. */
const longestPauses = 10;
const mostMembers = 50;

export function eventOf(row: PlatformEventRow): PlatformEvent {
  return JSON.parse(row.event) as PlatformEvent;
}

/**
 * What follows the first row closely enough to be part of its turn: messages of the same sender, none of which is a
 * command. Anything else in the chat ends the burst at once, for the order of a chat is kept.
 *
 * @param rows what the lane has to do, beginning with a message that is no edit
 */
export function gather(
  rows: readonly PlatformEventRow[],
  of: { pauseMs: number; nowMs: number; isCommand(event: MessageEvent): boolean },
): Burst {
  const [head, ...others] = rows;
  if (head === undefined || of.pauseMs <= 0) return { kind: 'turn', joined: editsOf(head, others) };
  const joined: number[] = [];
  const messageIds = new Set([(eventOf(head) as MessageEvent).messageId]);
  let last = head;
  for (const row of others) {
    const event = eventOf(row);
    if (row.state !== 'received' || row.sender !== head.sender || event.kind !== 'message' || of.isCommand(event)) {
      return { kind: 'turn', joined };
    }
    if (event.edited === true) {
      if (messageIds.has(event.messageId)) joined.push(row.seq);
      continue;
    }
    if (isApart(last, row, of.pauseMs)) return { kind: 'turn', joined };
    joined.push(row.seq);
    messageIds.add(event.messageId);
    last = row;
    if (messageIds.size >= mostMembers) return { kind: 'turn', joined };
  }
  const until = Math.min(
    Date.parse(last.receivedAt) + of.pauseMs,
    Date.parse(head.receivedAt) + of.pauseMs * longestPauses,
  );
  const ms = Math.min(until - of.nowMs, of.pauseMs);
  return ms > 0 ? { kind: 'wait', ms } : { kind: 'turn', joined };
}

/** The messages of a turn in order, edits put into what they edit. */
export function membersFrom(rows: readonly PlatformEventRow[]): readonly Member[] {
  const members = new Map<string, Member>();
  for (const row of rows) {
    const event = eventOf(row);
    if (event.kind !== 'message') continue;
    const before = members.get(event.messageId);
    if (before === undefined) members.set(event.messageId, { key: row.key, event });
    else members.set(event.messageId, { key: before.key, event: { ...before.event, text: event.text } });
  }
  return [...members.values()];
}

/** Without bursts an edit that is there already still counts. */
function editsOf(head: PlatformEventRow | undefined, others: readonly PlatformEventRow[]): readonly number[] {
  if (head === undefined) return [];
  const { messageId } = eventOf(head) as MessageEvent;
  return others
    .filter((row) => {
      const event = eventOf(row);
      return (
        row.sender === head.sender && event.kind === 'message' && event.edited === true && event.messageId === messageId
      );
    })
    .map(({ seq }) => seq);
}

/** By when they came and by when they were written: what was missed for hours comes all at once and is no burst. */
function isApart(one: PlatformEventRow, next: PlatformEventRow, pauseMs: number): boolean {
  if (Date.parse(next.receivedAt) - Date.parse(one.receivedAt) > pauseMs) return true;
  return Date.parse(eventOf(next).at) - Date.parse(eventOf(one).at) > pauseMs + roughTimesMs;
}
