import type { MessageView, Snapshot } from '../../contracts/api.ts';
import type { StreamEvent } from '../../contracts/stream.ts';
import { stepKey, toolCallKey } from '../../domain/ids.ts';
import type { Ask, Item, RunningTool } from './item.ts';
import { StepText } from './step-text.ts';

/** What the reader of events must do next. */
export type Need =
  /** Pieces were missed: connect anew, the snapshot makes it whole. */
  | 'reconnect'
  /** Look into the store: it knows what the events do not carry. */
  | 'messages';

export interface TranscriptOptions {
  readonly print: (item: Item) => void;
  readonly need: (need: Need) => void;
  readonly now: () => number;
}

/** A folded text beyond this that begins with an ellipsis has lost its beginning. */
const longestWholeFold = 100_000;

type Event<Kind extends StreamEvent['kind']> = Extract<StreamEvent, { kind: Kind }>;

/**
 * What has been said in a conversation, on its way to the screen: takes snapshots, backlogs, live events and pages of
 * the store in any order and as often as they come, and prints each thing exactly once. The store has the final word.
 */
export class Transcript {
  conversationId = '';
  /** The turn in progress, if any, and since when (own clock). */
  turn: { readonly turn: number; readonly sinceMs: number } | null = null;
  /** When the last turn ended (own clock). */
  endedAtMs = -Infinity;
  readonly tools = new Map<string, RunningTool>();
  readonly asks = new Map<string, Ask>();
  reasoning = false;
  private newestStep = '';
  private readonly steps = new Map<string, StepText>();
  /** Steps whose events cannot be made whole; their text comes from the store. */
  private readonly blind = new Set<string>();
  private readonly missed = new Set<string>();
  private readonly seenMessages = new Set<number>();
  private readonly printedCalls = new Set<string>();
  private readonly printedAsks = new Set<string>();
  private readonly printedNotices = new Set<string>();
  private readonly ownInbound = new Set<string>();
  private readonly ownTexts: string[] = [];
  private readonly options: TranscriptOptions;
  /** Until the next snapshot, events make no sense. */
  private deaf = false;
  private recapping = true;
  newestMessageId = 0;
  /** Newest turn whose end has been told; it is over once the store has been read after that. */
  finished = 0;

  constructor(options: TranscriptOptions) {
    this.options = options;
  }

  /** A message this person has typed here: printed by whoever took it, so not again from the store. */
  sent(inboundId: string, text: string): void {
    this.ownInbound.add(inboundId);
    this.ownTexts.push(text);
  }

  /** It was taken for a decision and does not come back as a message. */
  notStored(text: string): void {
    const own = this.ownTexts.indexOf(text);
    if (own >= 0) this.ownTexts.splice(own, 1);
  }

  /** The first snapshot prints the last `recapTurns` turns; every later one what has been missed. */
  snapshot(snapshot: Snapshot, recapTurns = 2): void {
    const { conversation } = snapshot;
    if (this.conversationId === '') this.skipOld(snapshot, recapTurns);
    this.conversationId = conversation.id;
    this.deaf = false;
    this.messages(snapshot.messages);
    this.recapping = false;
    const waiting = new Set(snapshot.approvals.map((one) => one.id));
    for (const id of this.asks.keys()) if (!waiting.has(id)) this.asks.delete(id);
    for (const { id, kind, title, detail, choices } of snapshot.approvals) {
      this.ask({ approvalId: id, kind, title, detail, choices });
    }
    if (conversation.running) this.begin(conversation.lastTurn);
    else this.end();
  }

  backlog(events: readonly StreamEvent[]): void {
    for (const event of events) {
      if (event.kind !== 'delta') this.live(event);
      else this.fold(event);
    }
    this.giveOut();
  }

  live(event: StreamEvent): void {
    if (this.deaf) return;
    switch (event.kind) {
      case 'turn-started':
        this.begin(event.turn);
        if (event.inboundIds.some((id) => !this.ownInbound.has(id))) this.options.need('messages');
        break;
      case 'step-started':
        this.begin(event.turn);
        this.step(event).begin(event.attempt);
        break;
      case 'delta':
        this.delta(event);
        break;
      case 'tool-started':
        this.toolStarted(event);
        break;
      case 'tool-finished':
        this.toolFinished(event);
        break;
      case 'asked':
        this.ask({ ...event, kind: event.ask });
        break;
      case 'decided':
        this.asks.delete(event.approvalId);
        break;
      case 'notice':
        this.notice(event.turn, event.text, 'info');
        break;
      case 'outbox':
        break;
      case 'turn-finished':
        // The answer's end stays in the tail until the store has confirmed it.
        this.tools.clear();
        this.asks.clear();
        this.finished = Math.max(this.finished, event.turn);
        this.options.need('messages');
        break;
    }
  }

  /** A page of the store, in order. */
  messages(messages: readonly MessageView[]): void {
    for (const message of messages) {
      this.newestMessageId = Math.max(this.newestMessageId, message.id);
      if (this.seenMessages.has(message.id)) continue;
      this.seenMessages.add(message.id);
      this.message(message, messages);
    }
  }

  /** As `messages`, from a look into the store that was made after the events so far. */
  settle(messages: readonly MessageView[], finished: number): void {
    this.messages(messages);
    if (this.turn !== null && this.turn.turn <= finished) this.end();
  }

  private end(): void {
    if (this.turn !== null) this.endedAtMs = this.options.now();
    this.turn = null;
    this.reasoning = false;
    this.tools.clear();
  }

  /** The unfinished end of what is being written. */
  get tail(): string {
    const step = this.steps.get(this.newestStep);
    return step === undefined || step.closed || this.blind.has(this.newestStep) ? '' : step.tail;
  }

  private skipOld(snapshot: Snapshot, recapTurns: number): void {
    const from = snapshot.conversation.lastTurn - recapTurns + 1;
    for (const message of snapshot.messages) {
      if (message.turn < from) this.seenMessages.add(message.id);
    }
  }

  private begin(turn: number): void {
    if (turn <= Math.max(this.finished, this.turn?.turn ?? 0)) return;
    this.tools.clear();
    this.reasoning = false;
    this.turn = { turn, sinceMs: this.options.now() };
  }

  private step(at: { turn: number; step: number }): StepText {
    const key = stepKey(this.conversationId, at.turn, at.step);
    let step = this.steps.get(key);
    if (step === undefined) {
      step = new StepText();
      this.steps.set(key, step);
    }
    this.newestStep = key;
    return step;
  }

  private delta(event: Event<'delta'>): void {
    this.begin(event.turn);
    const answer = event.channel === 'answer';
    const taken = this.step(event).add(event.attempt, event.seq, answer ? event.text : '');
    if (taken === 'taken') this.reasoning = !answer;
    if (taken === 'gap') this.missedSome();
    else this.giveOut();
  }

  private fold(event: Event<'delta'>): void {
    const answer = event.channel === 'answer';
    this.step(event).fold(event.attempt, event.seq, answer ? event.text : null);
    // The bus keeps only the end of a very long text; such a step can be shown when the store has it.
    if (answer && event.text.length > longestWholeFold && event.text.startsWith('…')) this.blind.add(this.newestStep);
  }

  private missedSome(): void {
    // A service that lost its backlog cannot make a step whole; then its text waits for the store.
    if (this.missed.has(this.newestStep)) {
      this.blind.add(this.newestStep);
      return;
    }
    this.missed.add(this.newestStep);
    this.deaf = true;
    this.options.need('reconnect');
  }

  private giveOut(): void {
    if (this.blind.has(this.newestStep)) return;
    this.printAnswer(this.steps.get(this.newestStep)?.take() ?? null);
  }

  private printAnswer(printable: { text: string; anew: boolean } | null): void {
    if (printable === null) return;
    if (printable.anew) {
      this.options.print({
        kind: 'notice',
        tone: 'info',
        text: 'The answer begins again:',
      });
    }
    if (printable.text.trim() !== '') this.options.print({ kind: 'answer', text: printable.text });
  }

  private toolStarted(event: Event<'tool-started'>): void {
    this.begin(event.turn);
    this.closeStep(event);
    if (this.printedCalls.has(event.callKey)) return;
    this.tools.set(event.callKey, {
      callKey: event.callKey,
      summary: event.summary,
      sinceMs: this.options.now(),
    });
  }

  private toolFinished(event: Event<'tool-finished'>): void {
    this.closeStep(event);
    this.tools.delete(event.callKey);
    if (this.printedCalls.has(event.callKey)) return;
    this.printedCalls.add(event.callKey);
    const { name, summary, status, preview, durationMs } = event;
    this.options.print({ kind: 'tool', name, summary, status, preview, durationMs });
  }

  private closeStep(at: { turn: number; step: number }): void {
    const step = this.step(at);
    if (this.blind.has(this.newestStep)) this.options.need('messages');
    else this.printAnswer(step.close());
  }

  private ask(ask: Ask): void {
    const { approvalId, kind, title, detail, choices } = ask;
    const clean: Ask = { approvalId, kind, title, detail, choices };
    this.asks.set(approvalId, clean);
    if (this.printedAsks.has(approvalId)) return;
    this.printedAsks.add(approvalId);
    this.options.print({ kind: 'ask', ask: clean });
  }

  private notice(turn: number, text: string, tone: 'info' | 'error'): void {
    const key = `${String(turn)} ${text}`;
    if (this.printedNotices.has(key)) return;
    this.printedNotices.add(key);
    this.options.print({ kind: 'notice', text, tone });
  }

  private message(message: MessageView, page: readonly MessageView[]): void {
    switch (message.role) {
      case 'user': {
        const own = this.ownTexts.indexOf(message.text);
        if (own >= 0) this.ownTexts.splice(own, 1);
        else this.options.print({ kind: 'user', text: message.text, speaker: this.recapping ? null : message.speaker });
        break;
      }
      case 'assistant':
        this.printAnswer(this.storedStep(message).close(message.text));
        break;
      case 'tool':
        this.storedTool(message, page);
        break;
      case 'notice':
        this.notice(message.turn, message.text, 'info');
        break;
    }
  }

  /** As `step`, but an old step must not become the newest. */
  private storedStep(message: MessageView): StepText {
    const newest = this.newestStep;
    const step = this.step(message);
    if (newest !== '' && this.turn !== null && message.turn < this.turn.turn) this.newestStep = newest;
    return step;
  }

  /** A result in the store names its tool; which call of its step it was follows from the order. */
  private storedTool(message: MessageView, page: readonly MessageView[]): void {
    const sameStep = page.filter((one) => one.turn === message.turn && one.step === message.step);
    const calls = sameStep.find((one) => one.role === 'assistant')?.toolCalls ?? [];
    const results = sameStep.filter((one) => one.role === 'tool' && one.toolName === message.toolName);
    const nth = results.indexOf(message);
    const indexes = calls.flatMap((call, index) => (call.name === message.toolName ? [index] : []));
    const callKey = toolCallKey(this.conversationId, message.turn, message.step, indexes[nth] ?? nth);
    if (this.printedCalls.has(callKey)) return;
    this.printedCalls.add(callKey);
    const running = this.tools.get(callKey);
    this.tools.delete(callKey);
    const name = message.toolName ?? 'tool';
    this.options.print({
      kind: 'tool',
      name,
      summary: running?.summary ?? name,
      status: message.toolStatus ?? 'ok',
      preview: '',
      durationMs: null,
    });
  }
}
