import type { OutboxRow } from '../../store/outbox-ports.ts';
import type { OpenAccount } from '../accounts.ts';
import { render } from '../format/render.ts';
import { answeredTurn, answerId, laneOf, type Desk } from './desk.ts';
import { editOnce, resolveDoubt, sendOnce, type PartTry, type Verdict } from './one-part.ts';

type Turn = { readonly conversationId: string; readonly turn: number };
type Later = Extract<Verdict, { kind: 'later' }>;

/** What is known in memory of a live message that still grows. */
export interface Growing {
  /** The turn shows nothing new any more. */
  stop(turn: Turn): void;
  /** The message is overtaken by another one. @returns what it shows for good (Markdown), null when nobody knows. */
  leave(rowId: string): string | null;
}

/** How long an ended turn's answer may be under way before its live message is left as it is. */
const answerMs = 3_600_000;

/** Live messages as the store has them: found again after a restart, taken over by the answer, closed when overtaken. */
export class LiveRows {
  private readonly desk: Desk;
  private readonly growing: Growing;

  constructor(desk: Desk, growing: Growing) {
    this.desk = desk;
    this.growing = growing;
  }

  /**
   * The message the answer replaces; null when there is none, a verdict when it must be waited for. The chat is the
   * caller's own.
   */
  async take(
    answer: OutboxRow,
    turn: Turn,
    account: OpenAccount,
  ): Promise<{ id: string; messageId: string } | Later | null> {
    this.growing.stop(turn);
    const lives = await this.desk.store.outbox.openLives(turn);
    const here = lives.filter(({ to }) => to.platform === answer.to.platform && to.chat === answer.to.chat);
    const row = here.filter(({ to }) => to.thread === answer.to.thread).at(-1);
    return row === undefined ? null : this.resolve(row, account);
  }

  /** A message is about to be said in the chat: what else grows there stays above it, as it is. */
  async seal(message: OutboxRow, account: OpenAccount): Promise<void> {
    const turn = answeredTurn(message);
    for (const row of await this.desk.store.outbox.openLives(laneOf(message))) {
      // The answer's own words are yet to replace it.
      if (turn !== null && row.conversationId === turn.conversationId && row.turn === turn.turn) continue;
      const settled = this.growing.leave(row.id);
      const found = await this.resolve(row, account);
      if (found === null || 'kind' in found) continue;
      await this.complete(row, found.messageId, settled ?? '⤵️', account);
    }
  }

  /** Closes what belongs to turns that have ended without an answer here. */
  async sweep(): Promise<void> {
    const rows = await this.desk.store.outbox.endedLives(50);
    for (const row of rows) {
      const account = this.desk.account(laneOf(row));
      if (account !== undefined) this.desk.doAside(row, () => this.closeEnded(row.id, account));
    }
  }

  private async closeEnded(id: string, account: OpenAccount): Promise<void> {
    const row = await this.desk.store.outbox.get(id);
    if (row?.open !== true || row.conversationId === null || row.turn === null) return;
    const turn = { conversationId: row.conversationId, turn: row.turn };
    const words = await this.lastWords(row, turn);
    if (words === null) return;
    this.growing.stop(turn);
    const found = await this.resolve(row, account);
    if (found !== null && !('kind' in found)) await this.complete(row, found.messageId, words, account);
  }

  /** @returns null while the answer may still take its place. */
  private async lastWords(row: OutboxRow, turn: Turn): Promise<string | null> {
    const answer = await this.desk.store.outbox.get(answerId(turn));
    if (answer === null) {
      const ended = await this.desk.store.turns.get(turn.conversationId, turn.turn);
      if ((ended?.answer ?? '') === '') return 'Done.';
      return Date.now() - Date.parse(ended?.endedAt ?? row.createdAt) < answerMs ? null : '⤵️';
    }
    if (answer.to.platform !== row.to.platform) return `Answered on ${answer.to.platform}.`;
    if (answer.to.chat !== row.to.chat) return 'Answered in another chat.';
    return answer.state === 'new' || answer.state === 'sending' ? null : '⤵️';
  }

  /** Best effort: what it says is worth less than what waits behind it. */
  private async complete(row: OutboxRow, messageId: string, words: string, account: OpenAccount): Promise<void> {
    const { dialect, text } = account.descriptor.capabilities;
    const [written] = render(this.desk.deps.redact(words), { dialect, max: text.max, unit: text.unit });
    if (written !== undefined) {
      const verdict = await editOnce(this.desk, messageId, { text: written }, { row, index: 0, account });
      if (verdict.kind !== 'sent') this.desk.deps.log.debug({ outboxId: row.id, verdict }, 'left as it was shown');
    }
    await this.desk.store.outbox.change({ id: row.id, state: 'sent', open: false });
  }

  /** Finds out what a live message is called on the platform; null when it is none. */
  private async resolve(
    row: OutboxRow,
    account: OpenAccount,
  ): Promise<{ id: string; messageId: string } | Later | null> {
    const part = row.parts?.[0];
    if (part?.messageId !== undefined) return { id: row.id, messageId: part.messageId };
    if (part === undefined) return null;
    const one: PartTry = { row, index: 0, part, account };
    const known = await resolveDoubt(this.desk, one);
    const verdict = known === 'send' ? await sendOnce(this.desk, one) : known;
    return this.write(row, verdict);
  }

  /** Writes down what became of the first send of a live message. */
  async write(row: OutboxRow, verdict: Verdict): Promise<{ id: string; messageId: string } | Later | null> {
    const { outbox } = this.desk.store;
    const { id } = row;
    switch (verdict.kind) {
      case 'sent': {
        const { messageId } = verdict;
        const parts = (row.parts ?? []).map((part) => ({ ...part, state: 'sent' as const, messageId }));
        await outbox.change({ id, parts, state: 'sent' });
        return { id, messageId };
      }
      case 'later':
        return verdict;
      case 'ambiguous':
        await outbox.change({ id, state: 'ambiguous', open: false, error: verdict.error });
        this.desk.report(row, 'may or may not have arrived');
        return null;
      case 'refused':
      case 'gone':
        await outbox.change({ id, state: 'dropped', open: false, error: verdict.error });
        return null;
    }
  }
}
