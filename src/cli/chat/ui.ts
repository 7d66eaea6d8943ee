import type { ConversationView } from '../../contracts/api.ts';
import { unescapeSlash } from '../../domain/slash-commands.ts';
import type { HermesClient } from '../client/client.ts';
import { CliError } from '../errors.ts';
import { wantsColour, type Io } from '../io.ts';
import { commonBeginning, completeSlash } from '../slash/complete.ts';
import type { SlashContext } from '../slash/context.ts';
import { runSlash } from '../slash/run.ts';
import { readKey } from './decision-key.ts';
import { appendHistory, readHistory } from './history.ts';
import type { Item } from './item.ts';
import type { Key } from './keys.ts';
import { edit, emptyEditor, replaceText, type EditorState, type EditorWish } from './line-editor.ts';
import { liveArea, type LiveView } from './live-area.ts';
import { needsGap, renderItem, type Look } from './render-item.ts';
import { Screen } from './screen.ts';
import { ChatSession } from './session.ts';
import { Terminal } from './terminal.ts';

export interface ChatUiOptions {
  readonly client: HermesClient;
  readonly io: Io;
  readonly home: string;
}

const shortestFrameMs = 30;
const spinnerMs = 100;
/** A second Ctrl-C within this time leaves. */
const leaveWithinMs = 2_000;
/** A Ctrl-C this soon after the end of a turn was meant for the turn. */
const lateMs = 500;
/** Prose that is wider is hard to read. */
const widestText = 120;

/** The chat on a terminal: what is typed, what is printed, what is drawn. */
export class ChatUi {
  private readonly session: ChatSession;
  private readonly terminal: Terminal;
  private readonly screen: Screen;
  private readonly options: ChatUiOptions;
  private readonly colour: boolean;
  private editor: EditorState;
  private candidates: readonly string[] = [];
  private hint = '';
  private away = false;
  private printed: string[] = [];
  private lastItem: Item | null = null;
  private frame: NodeJS.Timeout | null = null;
  private lastFrameMs = 0;
  private interruptedAtMs = -Infinity;
  private left: () => void = () => undefined;

  constructor(options: ChatUiOptions) {
    this.options = options;
    this.colour = wantsColour(options.io.stdout);
    this.terminal = new Terminal(options.io);
    this.screen = new Screen(
      (text) => this.terminal.write(text),
      () => this.terminal.columns,
    );
    this.editor = emptyEditor(readHistory(options.home));
    this.session = new ChatSession({
      client: options.client,
      print: (item) => this.print(item),
      changed: () => this.redraw(),
      failed: (error) => this.failed(error),
    });
  }

  /**
   * Talks until the person leaves.
   *
   * @returns what to say in parting, empty when nothing is left to do.
   */
  async run(conversation: ConversationView): Promise<string> {
    const gone = new Promise<void>((done) => {
      this.left = done;
    });
    const resized = (): void => {
      this.screen.resized();
      this.draw();
    };
    const spinner = setInterval(() => {
      if (this.busy()) this.redraw();
    }, spinnerMs);
    this.terminal.open((key) => this.key(key));
    this.options.io.stdout.on('resize', resized);
    process.on('SIGTERM', this.left);
    process.on('SIGHUP', this.left);
    try {
      this.greet(conversation);
      this.session.attach(conversation);
      await gone;
      return await this.parting();
    } finally {
      clearInterval(spinner);
      if (this.frame !== null) clearTimeout(this.frame);
      this.options.io.stdout.off('resize', resized);
      process.off('SIGTERM', this.left);
      process.off('SIGHUP', this.left);
      this.session.detach();
      this.draw();
      this.screen.close();
      this.terminal.close();
    }
  }

  notice(text: string, tone: 'info' | 'error' = 'info'): void {
    this.print({ kind: 'notice', text, tone });
  }

  outage(away: boolean): void {
    this.away = away;
    this.redraw();
  }

  private greet(conversation: ConversationView): void {
    const title = conversation.title === '' ? 'a new conversation' : conversation.title;
    const model = conversation.model === null ? '' : ` · ${conversation.model}`;
    this.notice(`Hermes · ${title}${model} · /help shows what can be typed`);
  }

  private async parting(): Promise<string> {
    const sent = await this.session.flushed(1_000);
    const unsent = sent ? '' : 'The last message has not reached the service and is lost when you leave now.\n';
    return unsent + (this.session.running ? 'The work goes on; hermes comes back to it.\n' : '');
  }

  private key(key: Key): void {
    this.candidates = key.kind === 'key' && key.name === 'tab' ? this.candidates : [];
    this.hint = '';
    const { state, wish } = edit(this.editor, key);
    this.editor = state;
    if (wish !== null) this.fulfil(wish);
    this.redraw();
  }

  private fulfil(wish: EditorWish): void {
    switch (wish.kind) {
      case 'submit':
        appendHistory(this.options.home, wish.text);
        this.submit(wish.text.trimEnd());
        break;
      case 'complete':
        this.complete();
        break;
      case 'interrupt':
        this.interrupt();
        break;
      case 'leave':
        this.left();
        break;
      case 'suspend':
        this.screen.close();
        this.terminal.suspend(() => this.redraw());
        break;
      case 'clear-screen':
        this.screen.clear();
        break;
    }
  }

  private submit(line: string): void {
    const ask = [...this.session.transcript.asks.values()][0];
    const decision = ask === undefined ? null : readKey(ask, line);
    if (ask !== undefined && decision !== null) {
      this.print({ kind: 'user', text: line, speaker: null });
      this.session.decide(ask, decision.decision, decision.scope).catch((error: unknown) => this.failed(error));
      return;
    }
    runSlash(this.slashContext(), line)
      .then((taken) => {
        if (!taken) this.session.send(unescapeSlash(line));
      })
      .catch((error: unknown) => this.failed(error));
  }

  private slashContext(): SlashContext {
    const { client } = this.options;
    return {
      client,
      conversationId: () => this.session.conversationId,
      asks: () => [...this.session.transcript.asks.values()],
      print: (text) => this.print({ kind: 'answer', text }),
      notice: (text) => this.notice(text),
      send: (text, busyMode) => this.session.send(text, busyMode),
      switchTo: async (conversationId) => {
        const conversation = await client.conversation(conversationId);
        this.greet(conversation);
        this.session.attach(conversation);
      },
      setInput: (text) => {
        if (this.editor.text === '') this.editor = replaceText(this.editor, text);
      },
      decide: (ask, decision, scope, answer) => this.session.decide(ask, decision, scope, answer),
      quit: () => this.left(),
    };
  }

  private interrupt(): void {
    const now = performance.now();
    const again = now - this.interruptedAtMs < leaveWithinMs;
    this.interruptedAtMs = now;
    if (again) {
      this.left();
      return;
    }
    if (this.session.running) {
      this.session.interrupt();
      this.hint = 'stopping; Ctrl-C again leaves';
    } else if (this.editor.text !== '') {
      this.editor = emptyEditor(this.editor.history);
      this.hint = 'Ctrl-C again leaves';
    } else if (now - this.session.transcript.endedAtMs < lateMs) {
      this.hint = 'the turn was over already; Ctrl-C again leaves';
    } else this.left();
  }

  private complete(): void {
    const { text, cursor } = this.editor;
    if (!text.startsWith('/') || cursor !== text.length) return;
    completeSlash(this.options.client, text)
      .then(({ lines }) => {
        if (this.editor.text !== text || lines.length === 0) return;
        const common = commonBeginning(lines);
        if (common.length > text.length) this.editor = replaceText(this.editor, common);
        const last = (line: string): string => line.trimEnd().split(' ').at(-1) ?? line;
        this.candidates = lines.length > 1 ? lines.map(last) : [];
        this.redraw();
      })
      .catch((error: unknown) => this.failed(error));
  }

  private failed(error: unknown): void {
    const hint = error instanceof CliError && error.hint !== undefined ? ` ${error.hint}` : '';
    this.notice(`${error instanceof Error ? error.message : String(error)}${hint}`, 'error');
  }

  private print(item: Item): void {
    const lines = renderItem(item, this.look());
    if (needsGap(this.lastItem, item)) this.printed.push('');
    this.printed.push(...lines);
    this.lastItem = item;
    this.redraw();
  }

  private look(): Look {
    return { width: Math.min(widestText, this.terminal.columns - 1), colour: this.colour };
  }

  private busy(): boolean {
    return this.session.running || this.away || this.session.unsent > 0;
  }

  /** Draws soon, and not more often than a person can see. */
  private redraw(): void {
    if (this.frame !== null) return;
    const waitMs = Math.max(0, this.lastFrameMs + shortestFrameMs - performance.now());
    this.frame = setTimeout(() => this.draw(), waitMs);
  }

  private draw(): void {
    if (this.frame !== null) clearTimeout(this.frame);
    this.frame = null;
    this.lastFrameMs = performance.now();
    const { printed } = this;
    this.printed = [];
    this.screen.update(
      printed,
      liveArea(this.view(), { ...this.look(), width: this.terminal.columns - 1 }, this.terminal.rows),
    );
  }

  private view(): LiveView {
    const { transcript } = this.session;
    return {
      tail: transcript.tail,
      tools: [...transcript.tools.values()],
      runningSinceMs: transcript.turn?.sinceMs ?? (this.session.unsent > 0 ? this.lastFrameMs : null),
      doing: this.doing(),
      hint: this.hint,
      away: this.away,
      editor: this.editor,
      candidates: this.candidates,
      nowMs: performance.now(),
    };
  }

  private doing(): string {
    const { transcript } = this.session;
    if (transcript.asks.size > 0) return 'waiting for you';
    if (transcript.turn === null) return 'sending';
    if (transcript.tools.size > 0) return 'working';
    if (transcript.tail !== '') return 'writing';
    return transcript.reasoning ? 'thinking it over' : 'thinking';
  }
}
