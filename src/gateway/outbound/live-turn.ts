import type { ReplyAddress } from '../../contracts/conversation.ts';
import type { StreamEvent } from '../../contracts/stream.ts';
import type { OutboxRow } from '../../store/outbox-ports.ts';
import type { OpenAccount } from '../accounts.ts';
import { render } from '../format/render.ts';
import { answerId, type Desk } from './desk.ts';
import type { LiveRows } from './live-rows.ts';
import { addressOf, editOnce, sendOnce, type Verdict } from './one-part.ts';
import { Preview } from './preview.ts';

/** So many characters are worth a message before the time is up. */
const firstChars = 200;
const lookAgainMs = 2_000;

/** One turn as its chat sees it while it runs: "is typing", and one message that grows. */
export class LiveTurn {
  readonly conversationId: string;
  readonly turn: number;
  readonly to: ReplyAddress;
  private readonly desk: Desk;
  private readonly rows: LiveRows;
  private readonly preview: Preview;
  private readonly beganAt = Date.now();
  private segment = 1;
  private row: OutboxRow | null = null;
  private shown = '';
  private shownAt = 0;
  private heldUntil = 0;
  private isOver = false;
  /** The chat takes no live message, or nobody knows whether it did. */
  private isMute = false;
  private isAsking = false;
  private isShowing = false;
  private timer: NodeJS.Timeout | null = null;
  private typing: NodeJS.Timeout | null = null;

  constructor(desk: Desk, rows: LiveRows, of: { conversationId: string; turn: number; to: ReplyAddress }) {
    this.desk = desk;
    this.rows = rows;
    this.conversationId = of.conversationId;
    this.turn = of.turn;
    this.to = of.to;
    this.preview = new Preview(3 * (this.account()?.descriptor.capabilities.text.max ?? 4_000));
  }

  /** Goes on with what an earlier process has begun. */
  async begin(): Promise<void> {
    const lives = await this.desk.store.outbox.openLives(this);
    const row = lives.findLast(({ to }) => to.platform === this.to.platform && to.chat === this.to.chat);
    if (row !== undefined && !this.isOver) {
      this.row = row;
      this.shown = row.parts?.[0]?.text ?? '';
      this.segment = Number(/\d+$/u.exec(row.id)?.[0] ?? 1);
    }
    this.showTyping();
  }

  hear(event: StreamEvent): void {
    if (this.isOver) return;
    if (event.kind === 'asked' || event.kind === 'decided') this.isAsking = event.kind === 'asked';
    if (this.preview.take(event)) this.schedule();
  }

  /** Nothing new is shown any more; what is shown is the answer's to replace. */
  stop(): void {
    this.isOver = true;
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.typing !== null) clearTimeout(this.typing);
    this.timer = null;
    this.typing = null;
  }

  owns(rowId: string): boolean {
    return this.row?.id === rowId;
  }

  /** The next words begin a new message. @returns what this one shows for good. */
  leave(): string {
    this.row = null;
    this.shown = '';
    this.segment += 1;
    return this.preview.settle();
  }

  private account(): OpenAccount | undefined {
    return this.desk.account({ account: this.to.platform, chat: this.to.chat });
  }

  private schedule(): void {
    if (this.timer !== null || this.isShowing || this.isMute || this.isOver) return;
    const account = this.account();
    if (account === undefined || this.desk.deps.settings().streaming === 'off') return;
    const { edits, paceMs } = account.descriptor.capabilities;
    if (!edits) return;
    const { liveAfterMs, editEveryMs } = this.desk.times;
    const isLong = this.preview.chars >= firstChars;
    const first = isLong || this.row !== null ? 0 : this.beganAt + liveAfterMs;
    const at = Math.max(first, this.shownAt + Math.max(editEveryMs, paceMs.chat), this.heldUntil);
    // Until the first message there may soon be enough to show it earlier.
    const waitMs = Math.max(0, at - Date.now());
    this.timer = setTimeout(() => void this.show(), isLong || this.row !== null ? waitMs : Math.min(waitMs, 100));
    this.timer.unref();
  }

  private async show(): Promise<void> {
    this.timer = null;
    if (
      this.row === null &&
      this.preview.chars < firstChars &&
      Date.now() < this.beganAt + this.desk.times.liveAfterMs
    ) {
      this.schedule();
      return;
    }
    this.isShowing = true;
    let again = false;
    try {
      again = await this.desk.alone({ account: this.to.platform, chat: this.to.chat }, () => this.write());
    } catch (error) {
      this.desk.deps.log.warn(
        { conversationId: this.conversationId, error: String(error) },
        'a turn is not shown live',
      );
      this.isMute = true;
    }
    this.isShowing = false;
    if (again) this.schedule();
  }

  /** The chat is this turn's own meanwhile. @returns whether there is, or soon may be, more to show. */
  private async write(): Promise<boolean> {
    const account = this.account();
    if (this.isOver || this.desk.isEnding() || account === undefined) return false;
    const text = this.text(account);
    if (text === undefined || text === this.shown) return false;
    const lane = { account: this.to.platform, chat: this.to.chat };
    this.shownAt = Date.now();
    // What waits for the chat goes first; and what the account may send, it sends for answers first.
    if (this.row === null && (await this.desk.store.outbox.head(lane)) !== null) return true;
    if (!this.desk.pace.spare(lane, account.descriptor.capabilities.paceMs)) return true;
    return this.row === null ? this.start(text, account) : this.edit(this.row, text, account);
  }

  private text(account: OpenAccount): string | undefined {
    const { dialect, text } = account.descriptor.capabilities;
    const words = this.desk.deps.redact(this.preview.show(this.desk.deps.settings().toolProgress));
    return render(words, { dialect, max: text.max, unit: text.unit })[0];
  }

  /** In the store before it is sent, so that a restarted gateway finds it. */
  private async start(text: string, account: OpenAccount): Promise<boolean> {
    const { outbox } = this.desk.store;
    const at = new Date().toISOString();
    const part = { carries: 'text', text, state: 'sending', startedAt: at, triedAt: at } as const;
    const { conversationId, turn, to } = this;
    const id = `${answerId(this)}/live-${this.segment}`;
    const row = await outbox.enqueue({ id, kind: 'live', to, conversationId, turn, text, parts: [part] });
    // An earlier process has used the name up.
    if (row.state !== 'sending' || !row.open) {
      this.segment += 1;
      return true;
    }
    const verdict = await sendOnce(this.desk, { row, index: 0, part, account });
    if (verdict.kind === 'later' && !verdict.doubt) {
      this.hold(verdict.afterMs);
      this.segment += 1;
      await outbox.change({ id, state: 'dropped', open: false, error: verdict.error });
      return true;
    }
    const found = await this.rows.write(row, verdict);
    // In doubt it is left to the answer to find out.
    if (found === null || 'kind' in found) this.isMute = true;
    else {
      this.row = { ...row, parts: [{ ...part, state: 'sent', messageId: found.messageId }] };
      this.shown = text;
    }
    return !this.isMute;
  }

  private async edit(row: OutboxRow, text: string, account: OpenAccount): Promise<boolean> {
    const messageId = row.parts?.[0]?.messageId;
    if (messageId === undefined) {
      this.isMute = true;
      return false;
    }
    const verdict: Verdict = await editOnce(this.desk, messageId, { text }, { row, index: 0, account });
    if (verdict.kind === 'sent') this.shown = text;
    else if (verdict.kind === 'later') this.hold(verdict.afterMs);
    else this.isMute = true;
    return !this.isMute;
  }

  private hold(afterMs: number | null): void {
    this.heldUntil = Date.now() + (afterMs ?? 5_000);
  }

  private showTyping(): void {
    const account = this.account();
    if (this.isOver || this.desk.isEnding()) return;
    // An account that is just connecting is asked again.
    const typingMs = account === undefined ? lookAgainMs : account.descriptor.capabilities.typingMs;
    if (typingMs === null) return;
    if (!this.isAsking && account !== undefined) {
      this.desk
        .request((signal) => account.connection.outbound.typing(addressOf(this), signal), typingMs)
        .catch((error: unknown) => {
          this.desk.deps.log.debug({ account: account.id, error: String(error) }, 'typing is not shown');
        });
    }
    this.typing = setTimeout(() => this.showTyping(), Math.max(50, typingMs * 0.8));
    this.typing.unref();
  }
}
