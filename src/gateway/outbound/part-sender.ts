import type { OutboxChange, OutboxPart, OutboxRow } from '../../store/outbox-ports.ts';
import type { OpenAccount } from '../accounts.ts';
import { withoutFormatting, type Cut } from './cut.ts';
import { answeredTurn, inMs, laneOf, type Desk } from './desk.ts';
import type { LiveRows } from './live-rows.ts';
import { editOnce, resolveDoubt, sendOnce, textOf, type PartTry, type Verdict } from './one-part.ts';

type Later = Extract<Verdict, { kind: 'later' }>;

/** Sends messages part by part and writes down what became of each. Its caller sees to it that the chat is its own. */
export class PartSender {
  private readonly desk: Desk;
  private readonly lives: LiveRows;
  /** A chat takes nothing any more. */
  private readonly onGone: (row: OutboxRow, error: string) => Promise<void>;

  constructor(desk: Desk, lives: LiveRows, onGone: PartSender['onGone']) {
    this.desk = desk;
    this.lives = lives;
    this.onGone = onGone;
  }

  /**
   * Brings a message that has been cut one part further.
   *
   * @param cut as it was cut just now: it goes into the store with the first claim, before anything is sent.
   * @returns false when nothing more can be done for its chat for now.
   */
  async advance(row: OutboxRow, account: OpenAccount, cut?: Cut): Promise<boolean> {
    const parts = row.parts ?? [];
    const index = parts.findIndex((part) => part.state === 'new' || part.state === 'sending');
    const part = parts[index];
    if (part === undefined) {
      await this.desk.store.outbox.change({ id: row.id, ...cut, ...endOf(row, parts, account) });
      return true;
    }
    const one: PartTry = { row, index, part, account, ...(cut === undefined ? {} : { cut }) };
    const merged = await this.intoLive(one);
    if (merged !== 'no') return merged;
    if (index === 0 && part.state === 'new') await this.lives.seal(row, account);
    const { verdict, claimed } = await this.send(one);
    return this.write(one, verdict, claimed);
  }

  private async send(one: PartTry): Promise<{ verdict: Verdict; claimed: OutboxPart }> {
    const { row, index, part, account } = one;
    const { store, pace } = this.desk;
    if (part.state === 'sending') {
      const known = await resolveDoubt(this.desk, one);
      if (known !== 'send') return { verdict: known, claimed: part };
    }
    // Waited for before it is claimed: a kill in the pause leaves no doubt.
    await this.desk.request((signal) => pace.turn(laneOf(row), account.descriptor.capabilities.paceMs, signal));
    const at = new Date().toISOString();
    const startedAt = part.state === 'sending' ? (part.startedAt ?? at) : at;
    const claimed: OutboxPart = { ...part, state: 'sending', startedAt, triedAt: at };
    await store.outbox.change({ id: row.id, state: 'sending', ...one.cut, parts: withPart(row, index, claimed) });
    const verdict = await sendOnce(this.desk, { ...one, part: claimed });
    return { verdict, claimed };
  }

  /** The first words of an answer replace what its turn has shown so far. */
  private async intoLive(one: PartTry): Promise<boolean | 'no'> {
    const { row, index, part, account } = one;
    const turn = answeredTurn(row);
    const isFirst = row.parts?.findIndex(({ carries }) => carries === 'text') === index;
    if (turn === null || !isFirst || part.state !== 'new') return 'no';
    const live = await this.lives.take(row, turn, account);
    if (live === null) return 'no';
    if (one.cut !== undefined) await this.desk.store.outbox.change({ id: row.id, ...one.cut });
    if ('kind' in live) return this.wait(one, { ...live, doubt: false }, part);
    const { pace } = this.desk;
    await this.desk.request((signal) => pace.turn(laneOf(row), account.descriptor.capabilities.paceMs, signal));
    const plain = withoutFormatting(part.text, account.descriptor.capabilities.dialect);
    let shown = part;
    let verdict = await editOnce(this.desk, live.messageId, textOf(row, index), one);
    if (verdict.kind === 'refused' && plain !== part.text) {
      shown = { ...part, text: plain, plain: true };
      verdict = await editOnce(this.desk, live.messageId, { ...textOf(row, index), text: plain }, one);
    }
    switch (verdict.kind) {
      case 'sent':
        await this.settle(one, { ...shown, state: 'sent', messageId: live.messageId }, [
          { id: live.id, state: 'sent', open: false },
        ]);
        return true;
      case 'later':
        // An edit may be repeated, so there is never a doubt.
        return this.wait(one, { ...verdict, doubt: false }, part);
      case 'gone':
        await this.onGone(row, verdict.error);
        return false;
      case 'refused':
      case 'ambiguous':
        await this.desk.store.outbox.change({ id: live.id, state: 'dropped', open: false, error: verdict.error });
        return true;
    }
  }

  private async write(one: PartTry, verdict: Verdict, claimed: OutboxPart): Promise<boolean> {
    const { row, part } = one;
    switch (verdict.kind) {
      case 'sent':
        await this.settle(one, { ...part, state: 'sent', messageId: verdict.messageId });
        return true;
      case 'ambiguous':
        await this.settle(one, { ...part, state: 'ambiguous' }, [{ id: row.id, error: verdict.error }]);
        this.desk.report(row, 'may or may not have arrived');
        return true;
      case 'later':
        return this.wait(one, verdict, claimed);
      case 'refused':
        return this.refused(one, verdict.error);
      case 'gone':
        await this.onGone(row, verdict.error);
        return false;
    }
  }

  private async settle(one: PartTry, part: OutboxPart, more: readonly OutboxChange[] = []): Promise<void> {
    const parts = withPart(one.row, one.index, part);
    const end = { attempts: 0, nextTryAt: null, ...endOf(one.row, parts, one.account) };
    const cleared = part.state === 'sent' && parts.every(({ state }) => state === 'sent') ? { error: null } : {};
    await this.desk.store.outbox.change({ id: one.row.id, parts, ...end, ...cleared }, ...more);
  }

  /** @returns false: everything behind it waits too, since order is kept. */
  private async wait(one: PartTry, { afterMs, doubt, error }: Later, claimed: OutboxPart): Promise<false> {
    const { row, index, part } = one;
    const waitMs = afterMs ?? this.desk.backoffMs(row.attempts);
    if (afterMs !== null && !doubt) this.desk.pace.hold(laneOf(row), afterMs);
    // A try that sent nothing takes back its claim, and leaves a doubt from before as it was.
    const parts = withPart(row, index, doubt ? claimed : part);
    const change = { parts, attempts: row.attempts + 1, nextTryAt: inMs(waitMs), error };
    await this.desk.store.outbox.change({ id: row.id, ...change });
    this.desk.deps.log.debug({ outboxId: row.id, waitMs, error }, 'sent later');
    return false;
  }

  /** Formatting, or the message it answers, may be what the platform did not like: once more without. */
  private async refused(one: PartTry, error: string): Promise<true> {
    const { row, index, part, account } = one;
    const plain = withoutFormatting(part.text, account.descriptor.capabilities.dialect);
    const mayHelp = plain !== part.text || (index === 0 && row.replyTo !== null);
    if (part.plain === undefined && mayHelp) {
      const parts = withPart(row, index, { ...part, text: plain, state: 'new', plain: true });
      await this.desk.store.outbox.change({ id: row.id, parts, error });
      return true;
    }
    await this.settle(one, { ...part, state: 'failed' }, [{ id: row.id, error }]);
    this.desk.report(row, `was refused: ${error}`);
    if (row.id.endsWith(refusal)) return true;
    await this.desk.store.outbox.enqueue({
      id: `${row.id}${refusal}`,
      kind: 'text',
      to: row.to,
      conversationId: row.conversationId,
      text: `⚠️ Something could not be shown here: ${error}`,
    });
    return true;
  }
}

const refusal = '/refused';

function withPart(row: OutboxRow, index: number, part: OutboxPart): readonly OutboxPart[] {
  return (row.parts ?? []).map((one, at) => (at === index ? part : one));
}

/** What a message is once its parts are as given; nothing while one is left. */
function endOf(row: OutboxRow, parts: readonly OutboxPart[], account: OpenAccount): Partial<OutboxChange> {
  const has = (...states: readonly OutboxPart['state'][]): boolean => parts.some(({ state }) => states.includes(state));
  if (has('new', 'sending')) return { state: 'sending' };
  const redrawn = row.buttons.length > 0 && account.descriptor.capabilities.edits && has('sent');
  return { state: has('failed') ? 'failed' : has('ambiguous') ? 'ambiguous' : 'sent', open: redrawn };
}
