import type { OutboxLane, OutboxRow } from '../../store/outbox-ports.ts';
import type { OpenAccount } from '../accounts.ts';
import { render } from '../format/render.ts';
import { cutMessage, type Cut } from './cut.ts';
import { answeredTurn, type Desk } from './desk.ts';
import { keyOf } from './pace.ts';
import type { PartSender } from './part-sender.ts';

/** Chats of one account written into at the same time, and looked at ahead; one that hangs takes nothing from others. */
const lanesAtOnce = 64;
const lanesPerLook = 256;
/** What a speech endpoint takes. */
const longestSpeech = 4_000;

/** Brings what is in the outbox to its chats: side by side, and within a chat in order. */
export class Sender {
  private readonly desk: Desk;
  private readonly parts: PartSender;
  private readonly active = new Set<string>();
  /** How many of them by account. */
  private readonly busy = new Map<string, number>();
  /** Chats that got something new, maybe, while their last message was under way. */
  private readonly missed = new Set<string>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private looking: Promise<void> | null = null;
  private isNudged = false;
  private isStopped = true;

  constructor(desk: Desk, parts: PartSender) {
    this.desk = desk;
    this.parts = parts;
  }

  start(): void {
    this.isStopped = false;
    this.nudge();
  }

  stop(): void {
    this.isStopped = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  /** Looks now. */
  nudge(): void {
    if (this.isStopped) return;
    if (this.looking !== null) {
      this.isNudged = true;
      return;
    }
    this.looking = this.look().finally(() => {
      this.looking = null;
      if (!this.isNudged) return;
      this.isNudged = false;
      this.nudge();
    });
  }

  private async look(): Promise<void> {
    try {
      const accounts = this.desk.accounts.list().map(({ id }) => id);
      const open = accounts.filter((id) => this.desk.accounts.get(id) !== undefined);
      for (const id of open) {
        if (this.isFull(id)) {
          this.missed.add(id);
          continue;
        }
        const due = await this.desk.store.outbox.dueLanes([id], new Date().toISOString(), lanesPerLook);
        for (const lane of due) this.begin(lane);
      }
    } catch (error) {
      this.desk.deps.log.warn({ error: String(error) }, 'the outbox could not be read');
    }
  }

  private begin(lane: OutboxLane): void {
    const key = keyOf(lane);
    if (this.isStopped) return;
    if (this.active.has(key) || this.isFull(lane.account)) {
      this.missed.add(key);
      return;
    }
    this.active.add(key);
    this.count(lane.account, 1);
    void this.empty(lane).finally(() => {
      this.active.delete(key);
      this.count(lane.account, -1);
      if (this.missed.size === 0) return;
      this.missed.clear();
      this.nudge();
    });
  }

  private isFull(account: string): boolean {
    return (this.busy.get(account) ?? 0) >= lanesAtOnce;
  }

  private count(account: string, more: 1 | -1): void {
    this.busy.set(account, (this.busy.get(account) ?? 0) + more);
  }

  /** Sends until nothing is due for the chat. Never rejects. */
  private async empty(lane: OutboxLane): Promise<void> {
    try {
      while (!this.isStopped && (await this.desk.alone(lane, () => this.step(lane))));
    } catch (error) {
      if (this.desk.isEnding()) return;
      // What was under way is in doubt now, and treated so by the next look.
      this.desk.deps.log.warn({ ...lane, error: String(error) }, 'sending stopped');
    }
  }

  private async step(lane: OutboxLane): Promise<boolean> {
    if (this.isStopped) return false;
    const row = await this.desk.store.outbox.head(lane);
    const account = this.desk.account(lane);
    if (row === null || account === undefined || !this.isDue(row)) return false;
    if (row.parts !== null) return this.parts.advance(row, account);
    const cut = await this.cut(row, account);
    return cut === null || this.parts.advance({ ...row, ...cut }, account, cut);
  }

  private isDue({ nextTryAt }: OutboxRow): boolean {
    if (nextTryAt === null) return true;
    const leftMs = Date.parse(nextTryAt) - Date.now();
    if (leftMs <= 0) return true;
    // The regular look is too coarse for short pauses.
    if (leftMs < this.desk.times.lookMs) this.nudgeIn(leftMs + 1);
    return false;
  }

  private nudgeIn(ms: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.nudge();
    }, ms);
    this.timers.add(timer);
  }

  /** What every try and every later version will send. @returns null when it became needless. */
  private async cut(row: OutboxRow, account: OpenAccount): Promise<Cut | null> {
    const { outbox, approvals } = this.desk.store;
    const approval = row.approvalId === null ? null : await approvals.get(row.approvalId);
    if (row.kind === 'ask' && approval?.state !== 'waiting') {
      await outbox.change({ id: row.id, state: 'dropped', error: 'decided before it was asked here' });
      return null;
    }
    const { capabilities } = account.descriptor;
    return cutMessage(await this.speak(row, account), capabilities, approval);
  }

  /** Where wanted, the voice note of an answer; without one it is only written. */
  private async speak(row: OutboxRow, { descriptor }: OpenAccount): Promise<OutboxRow> {
    const turn = answeredTurn(row);
    const { speechFor, log } = this.desk.deps;
    const { capabilities } = descriptor;
    if (turn === null || speechFor === undefined || !capabilities.voiceNotes) return row;
    try {
      const speak = await speechFor(turn.conversationId);
      const [words] = render(row.text, { dialect: 'plain', max: longestSpeech, unit: 'utf16' });
      if (speak === null || words === undefined) return row;
      const audio = await this.desk.request((signal) => speak(words, signal), this.desk.times.speechMs);
      if (audio === null || audio.bytes.length > capabilities.files.sendBytes) return row;
      const id = `${row.id}/voice`;
      await this.desk.store.outbox.keepFile({ id, outboxId: row.id, bytes: audio.bytes });
      const { mediaType, bytes } = audio;
      const source = { ownId: id };
      return { ...row, file: { name: 'answer.ogg', mediaType, sizeBytes: bytes.length, kind: 'voice', source } };
    } catch (error) {
      log.warn({ outboxId: row.id, error: error instanceof Error ? error.message : String(error) }, 'not spoken');
      return row;
    }
  }
}
