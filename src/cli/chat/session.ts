import type { ConversationView, MessageView } from '../../contracts/api.ts';
import type { BusyMode } from '../../domain/busy-mode.ts';
import { newInboundId } from '../client/await-answer.ts';
import type { HermesClient } from '../client/client.ts';
import { watchConversation, type Watch, type WatchEvent } from '../client/events.ts';
import type { Scope } from '../slash/context.ts';
import type { Ask, Item } from './item.ts';
import { Transcript } from './transcript.ts';

export interface SessionOptions {
  readonly client: HermesClient;
  readonly print: (item: Item) => void;
  /** Something that is shown has changed. */
  readonly changed: () => void;
  readonly failed: (error: unknown) => void;
}

const pageSize = 50;
const mostPages = 20;

/**
 * One conversation as it is followed and taken part in, without a terminal: watches it through any number of service
 * restarts and sends what the person says, in order. Errors go to `failed`; nothing here rejects into the void.
 */
export class ChatSession {
  conversation: ConversationView | null = null;
  connected = false;
  /** Messages the service has not taken yet. */
  unsent = 0;
  transcript: Transcript;
  private readonly options: SessionOptions;
  private watching: { readonly stop: AbortController; watch: Watch | null } | null = null;
  private events: Promise<void> = Promise.resolve();
  private sending: Promise<void> = Promise.resolve();
  private reading: 'no' | 'yes' | 'again' = 'no';

  constructor(options: SessionOptions) {
    this.options = options;
    this.transcript = this.newTranscript();
  }

  get conversationId(): string {
    return this.conversation?.id ?? '';
  }

  get running(): boolean {
    return this.transcript.turn !== null;
  }

  /** Leaves the conversation that is shown, if any, and follows this one. */
  attach(conversation: ConversationView): void {
    this.detach();
    this.conversation = conversation;
    this.transcript = this.newTranscript();
    const watching = { stop: new AbortController(), watch: null as Watch | null };
    this.watching = watching;
    const { transcript } = this;
    const onEvent = (event: WatchEvent, watch: Watch): void => {
      watching.watch = watch;
      this.events = this.events
        .then(() => (this.transcript === transcript ? this.take(event) : undefined))
        .catch(this.options.failed);
    };
    watchConversation(this.options.client.link, conversation.id, onEvent, watching.stop.signal).catch(
      (error: unknown) => {
        if (!watching.stop.signal.aborted) this.options.failed(error);
      },
    );
  }

  detach(): void {
    this.watching?.stop.abort(new Error('left the conversation'));
    this.watching = null;
    this.connected = false;
  }

  /** Sends a message after those before it; waits for a service that is away. */
  send(text: string, busyMode?: BusyMode): void {
    const inboundId = newInboundId();
    const conversation = { id: this.conversationId };
    const { transcript } = this;
    transcript.sent(inboundId, text);
    this.options.print({ kind: 'user', text, speaker: null, ...this.noteFor(busyMode) });
    this.inOrder(async () => {
      const message = { inboundId, text, conversation, ...(busyMode === undefined ? {} : { busyMode }) };
      const { decided } = await this.options.client.submit(message);
      if (decided !== null) transcript.notStored(text);
    });
  }

  /** Gives the person's word on something that waits. Rejects as the service says. */
  async decide(
    ask: Ask,
    decision: 'approve' | 'deny' | 'answer',
    scope: Scope = 'once',
    answer: string | null = null,
  ): Promise<void> {
    // Gone at once, so that the next line is not taken for it as well.
    this.transcript.asks.delete(ask.approvalId);
    await this.options.client.decide(ask.approvalId, { decision, scope, answer });
  }

  /** Stops the running turn, once the service can be told. */
  interrupt(): void {
    this.options.client.interrupt(this.conversationId).catch(this.options.failed);
  }

  /** Resolves when everything typed has reached the service, or after the limit with false. */
  async flushed(limitMs: number): Promise<boolean> {
    const limit = new Promise<false>((done) => setTimeout(() => done(false), limitMs).unref());
    return Promise.race([this.sending.then(() => true), limit]);
  }

  private inOrder(action: () => Promise<void>): void {
    this.unsent += 1;
    this.options.changed();
    this.sending = this.sending
      .then(action)
      .catch(this.options.failed)
      .finally(() => {
        this.unsent -= 1;
        this.options.changed();
      });
  }

  private noteFor(busyMode: BusyMode | undefined): { note?: string } {
    if (!this.running) return {};
    const mode = busyMode ?? this.conversation?.busyMode ?? null;
    if (mode === null) return {};
    const notes = { steer: 'for the running turn', queue: 'waits for its turn', interrupt: 'stops the turn' };
    return { note: notes[mode] };
  }

  private async take(event: WatchEvent): Promise<void> {
    switch (event.kind) {
      case 'lost':
        this.connected = false;
        break;
      case 'snapshot': {
        const older = await this.missedBefore(event.snapshot.messages);
        this.connected = true;
        this.conversation = event.snapshot.conversation;
        const messages = [...older, ...event.snapshot.messages];
        this.transcript.snapshot({ ...event.snapshot, messages });
        break;
      }
      case 'backlog':
        this.transcript.backlog(event.events);
        break;
      case 'live':
        this.transcript.live(event.event);
        break;
    }
    this.options.changed();
  }

  /** A snapshot has the newest messages; after a long absence there are more. */
  private async missedBefore(newest: readonly MessageView[]): Promise<MessageView[]> {
    const seen = this.transcript.newestMessageId;
    const older: MessageView[] = [];
    let first = newest[0];
    for (let page = 0; page < mostPages && seen > 0 && first !== undefined && first.id > seen; page += 1) {
      const before = await this.options.client.messages(this.conversationId, { limit: pageSize, beforeId: first.id });
      if (before.length === 0) break;
      older.unshift(...before);
      first = before[0];
    }
    return older;
  }

  private newTranscript(): Transcript {
    return new Transcript({
      now: () => performance.now(),
      print: this.options.print,
      need: (need) => {
        if (need === 'reconnect') this.watching?.watch?.restart();
        else this.readStore();
      },
    });
  }

  /** One look at a time; a wish during one makes another follow. */
  private readStore(): void {
    if (this.reading !== 'no') {
      this.reading = 'again';
      return;
    }
    this.reading = 'yes';
    const { transcript } = this;
    const look = async (): Promise<void> => {
      const { finished } = transcript;
      const messages = await this.options.client.messages(this.conversationId, { limit: pageSize });
      if (this.transcript === transcript) transcript.settle(messages, finished);
    };
    look()
      .catch(this.options.failed)
      .finally(() => {
        const again = this.reading === 'again';
        this.reading = 'no';
        this.options.changed();
        if (again && this.transcript === transcript) this.readStore();
      });
  }
}
