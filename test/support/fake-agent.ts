import type { ApprovalView, ConversationView, MessageView, Snapshot } from '../../src/contracts/api.ts';
import type { StreamEvent } from '../../src/contracts/stream.ts';
import type { BusyMode } from '../../src/domain/busy-mode.ts';

/** What a scripted turn may do. Events go to whoever watches; the store has the final word, as in the real service. */
export interface FakeTurn {
  readonly turn: number;
  readonly text: string;
  /** Aborted by an interrupt. */
  readonly signal: AbortSignal;
  /** Messages that arrived while the turn ran. */
  readonly steered: readonly string[];
  say(delta: string): void;
  /** The model call was made again (a worker died): what was said in this step is void. */
  newAttempt(): void;
  toolStarted(name: string, summary: string): string;
  toolFinished(callKey: string, preview?: string): void;
  notice(text: string): void;
  ask(question: { kind: ApprovalView['kind']; title: string; detail?: string; choices?: string[] }): Promise<Decided>;
  /** Waits until the test opens the gate of that name, or the turn is interrupted. */
  gate(name: string): Promise<void>;
}

export interface Decided {
  readonly decision: string;
  readonly scope: string;
  readonly answer: string | null;
}

export type Script = (turn: FakeTurn) => Promise<void>;

interface Inbound {
  readonly inboundId: string;
  readonly conversationId: string;
  readonly text: string;
  readonly receivedAt: string;
  turn: number | null;
}

export interface TurnRecord {
  readonly conversationId: string;
  readonly turn: number;
  readonly inboundIds: string[];
  readonly tools: { callKey: string; name: string; summary: string; status: string; durationMs: number | null }[];
  readonly abort: AbortController;
  readonly steered: string[];
  state: 'running' | 'done' | 'failed' | 'interrupted';
  answer: string;
  events: StreamEvent[];
}

const zero = { inputTokens: 11, outputTokens: 7, costUsd: 0.0021 };

/** An agent that plays scripts: conversations, messages, turns and approvals in memory. It outlives its HTTP server. */
export class FakeAgent {
  script: Script;
  readonly conversations = new Map<string, ConversationView>();
  readonly inbound = new Map<string, Inbound>();
  readonly messages = new Map<string, MessageView[]>();
  readonly turns: TurnRecord[] = [];
  readonly approvals = new Map<string, ApprovalView>();
  readonly listeners = new Set<(event: StreamEvent) => void>();
  private readonly gates = new Map<string, () => void>();
  private readonly opened = new Set<string>();
  private readonly deciding = new Map<string, (decided: Decided) => void>();
  private nextMessageId = 1;
  private current = '';

  constructor(script: Script) {
    this.script = script;
    this.current = this.create({}).id;
  }

  create(wish: { name?: string | undefined; title?: string | undefined }, makeCurrent = true): ConversationView {
    const id = `c${this.conversations.size + 1}`;
    const now = new Date(Date.UTC(2026, 0, 1, 0, this.conversations.size)).toISOString();
    this.conversations.set(id, {
      id,
      name: wish.name ?? null,
      title: wish.title ?? wish.name ?? '',
      platform: 'cli',
      model: null,
      busyMode: null,
      lastTurn: 0,
      messageCount: 0,
      createdAt: now,
      updatedAt: now,
      usage: zero,
      current: false,
      running: false,
    });
    this.messages.set(id, []);
    if (makeCurrent) this.current = id;
    return this.view(id);
  }

  view(id: string): ConversationView {
    const row = this.conversations.get(id);
    if (row === undefined) throw new Error(`no conversation ${id}`);
    return { ...row, current: id === this.current, running: this.running(id) !== undefined };
  }

  find(idOrName: string): ConversationView | undefined {
    for (const row of this.conversations.values()) {
      if (row.id === idOrName || row.name === idOrName) return this.view(row.id);
    }
    return undefined;
  }

  setCurrent(id: string): void {
    this.current = id;
  }

  change(id: string, change: Partial<ConversationView>): ConversationView {
    this.conversations.set(id, { ...this.view(id), ...change });
    return this.view(id);
  }

  currentId(): string {
    return this.current;
  }

  accept(inboundId: string, conversationId: string, text: string, busyMode?: BusyMode): boolean {
    if (this.inbound.has(inboundId)) return false;
    const inbound: Inbound = { inboundId, conversationId, text, receivedAt: new Date().toISOString(), turn: null };
    this.inbound.set(inboundId, inbound);
    const running = this.running(conversationId);
    if (running === undefined) void this.runTurn(conversationId, [inbound]);
    else if (busyMode !== 'queue') this.steer(running, inbound);
    return true;
  }

  running(conversationId: string): TurnRecord | undefined {
    return this.turns.find((turn) => turn.conversationId === conversationId && turn.state === 'running');
  }

  open(gate: string): void {
    this.opened.add(gate);
    this.gates.get(gate)?.();
  }

  decide(id: string, decided: Decided): ApprovalView | undefined {
    const row = this.approvals.get(id);
    if (row === undefined) return undefined;
    const state = { approve: 'approved', deny: 'denied', answer: 'answered' }[decided.decision] ?? 'closed';
    const after = { ...row, state, decidedAt: new Date().toISOString() };
    this.approvals.set(id, after);
    this.publish({ kind: 'decided', ...place(row), approvalId: id, decision: decided.decision });
    this.deciding.get(id)?.(decided);
    return after;
  }

  snapshot(conversationId: string): Snapshot {
    return {
      conversation: this.view(conversationId),
      messages: (this.messages.get(conversationId) ?? []).slice(-50),
      approvals: [...this.approvals.values()].filter(
        (one) => one.conversationId === conversationId && one.state === 'waiting',
      ),
      pending: [...this.inbound.values()]
        .filter((one) => one.conversationId === conversationId && one.turn === null)
        .map(({ inboundId, text, receivedAt }) => ({ inboundId, text, receivedAt })),
    };
  }

  /** Events of the running turn with the deltas of the newest attempt joined, as the bus folds them. */
  backlog(conversationId: string): StreamEvent[] {
    const folded: StreamEvent[] = [];
    for (const event of this.running(conversationId)?.events ?? []) {
      const before = folded.findIndex(
        (one) =>
          one.kind === 'delta' && event.kind === 'delta' && one.step === event.step && one.channel === event.channel,
      );
      const one = folded[before];
      if (event.kind !== 'delta' || one?.kind !== 'delta') folded.push(event);
      else folded[before] = one.attempt === event.attempt ? { ...event, text: one.text + event.text } : event;
    }
    return folded;
  }

  addMessage(conversationId: string, message: Partial<MessageView> & Pick<MessageView, 'role' | 'text'>): void {
    this.messages.get(conversationId)?.push({
      id: this.nextMessageId++,
      turn: 0,
      step: 0,
      toolCalls: [],
      toolName: null,
      toolStatus: null,
      speaker: message.role === 'user' ? 'person' : 'hermes',
      createdAt: new Date().toISOString(),
      ...message,
    });
  }

  publish(event: StreamEvent): void {
    const turn = this.turns.find((one) => one.conversationId === event.conversationId && one.turn === event.turn);
    turn?.events.push(event);
    for (const listener of this.listeners) listener(event);
  }

  private steer(running: TurnRecord, inbound: Inbound): void {
    inbound.turn = running.turn;
    running.inboundIds.push(inbound.inboundId);
    running.steered.push(inbound.text);
    this.addMessage(running.conversationId, { role: 'user', text: inbound.text, turn: running.turn });
  }

  private async runTurn(conversationId: string, inbound: Inbound[]): Promise<void> {
    const turn = this.view(conversationId).lastTurn + 1;
    this.change(conversationId, { lastTurn: turn });
    const record: TurnRecord = {
      conversationId,
      turn,
      inboundIds: inbound.map((one) => one.inboundId),
      tools: [],
      abort: new AbortController(),
      steered: [],
      state: 'running',
      answer: '',
      events: [],
    };
    this.turns.push(record);
    this.publish({ kind: 'turn-started', conversationId, turn, inboundIds: record.inboundIds });
    for (const one of inbound) {
      one.turn = turn;
      this.addMessage(conversationId, { role: 'user', text: one.text, turn });
    }
    const play = new Play(this, record, inbound.map((one) => one.text).join('\n'));
    try {
      await this.script(play);
      play.endStep();
      record.answer = play.lastText;
      record.state = 'done';
    } catch (error) {
      record.state = record.abort.signal.aborted ? 'interrupted' : 'failed';
      record.answer = error instanceof Error ? error.message : String(error);
      play.endStep();
      const text = record.state === 'interrupted' ? 'Interrupted.' : record.answer;
      this.addMessage(conversationId, { role: 'notice', text, turn, step: play.step });
    }
    const { state, inboundIds } = record;
    this.publish({ kind: 'turn-finished', conversationId, turn, outcome: state, inboundIds });
    const next = [...this.inbound.values()].find((one) => one.conversationId === conversationId && one.turn === null);
    if (next !== undefined) await this.runTurn(conversationId, [next]);
  }

  /** For Play. */
  waitForGate(name: string): Promise<void> {
    if (this.opened.has(name)) return Promise.resolve();
    return new Promise((done) => this.gates.set(name, done));
  }

  /** For Play. */
  askPerson(approval: ApprovalView): Promise<Decided> {
    this.approvals.set(approval.id, approval);
    const decided = new Promise<Decided>((done) => this.deciding.set(approval.id, done));
    const { kind: ask, title, detail, choices } = approval;
    this.publish({ kind: 'asked', ...place(approval), approvalId: approval.id, ask, title, detail, choices });
    return decided;
  }
}

function place(of: { conversationId: string; turn: number }): { conversationId: string; turn: number } {
  return { conversationId: of.conversationId, turn: of.turn };
}

class Play implements FakeTurn {
  step = 0;
  lastText = '';
  private attempt = 1;
  private seq = 0;
  private said = '';
  private begun = false;
  private asked = 0;
  private readonly calls: { id: string; name: string; argumentsText: string }[] = [];
  private readonly agent: FakeAgent;
  private readonly record: TurnRecord;
  readonly text: string;

  constructor(agent: FakeAgent, record: TurnRecord, text: string) {
    this.agent = agent;
    this.record = record;
    this.text = text;
  }

  get turn(): number {
    return this.record.turn;
  }
  get signal(): AbortSignal {
    return this.record.abort.signal;
  }
  get steered(): readonly string[] {
    return this.record.steered;
  }

  say(delta: string): void {
    this.begin();
    this.said += delta;
    const { step, attempt } = this;
    this.agent.publish({
      kind: 'delta',
      ...place(this.record),
      step,
      attempt,
      seq: this.seq++,
      text: delta,
      channel: 'answer',
    });
  }

  newAttempt(): void {
    this.begin();
    this.attempt += 1;
    this.seq = 0;
    this.said = '';
    this.announceStep();
  }

  toolStarted(name: string, summary: string): string {
    this.begin();
    const callKey = `${this.record.conversationId}/${this.turn}/${this.step}/${this.calls.length}`;
    this.calls.push({ id: callKey, name, argumentsText: '{}' });
    this.record.tools.push({ callKey, name, summary, status: 'running', durationMs: null });
    this.agent.publish({ kind: 'tool-started', ...place(this.record), step: this.step, callKey, name, summary });
    return callKey;
  }

  toolFinished(callKey: string, preview = 'done'): void {
    const tool = this.record.tools.find((one) => one.callKey === callKey);
    if (tool === undefined) throw new Error(`no call ${callKey}`);
    Object.assign(tool, { status: 'ok', durationMs: 1200 });
    const { name, summary } = tool;
    const at = { ...place(this.record), step: this.step };
    if (this.record.tools.every((one) => one.status === 'ok')) this.endStep();
    this.agent.addMessage(this.record.conversationId, {
      role: 'tool',
      text: preview,
      turn: at.turn,
      step: at.step,
      toolName: name,
      toolStatus: 'ok',
    });
    this.agent.publish({
      kind: 'tool-finished',
      ...at,
      callKey,
      name,
      summary,
      status: 'ok',
      preview,
      durationMs: 1200,
    });
  }

  notice(text: string): void {
    this.agent.publish({ kind: 'notice', ...place(this.record), text });
  }

  async ask(question: { kind: ApprovalView['kind']; title: string; detail?: string; choices?: string[] }) {
    const id = `ask:${this.record.conversationId}/${this.turn}/1/${this.asked++}`;
    return this.agent.askPerson({
      id,
      ...place(this.record),
      kind: question.kind,
      title: question.title,
      detail: question.detail ?? '',
      choices: question.choices ?? [],
      state: 'waiting',
      askedAt: new Date().toISOString(),
      decidedAt: null,
    });
  }

  async gate(name: string): Promise<void> {
    const interrupted = new Promise<never>((_, reject) => {
      this.signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
    });
    await Promise.race([this.agent.waitForGate(name), interrupted]);
  }

  /** The step's text and calls enter the transcript, as the real step commit does. */
  endStep(): void {
    if (!this.begun) return;
    this.agent.addMessage(this.record.conversationId, {
      role: 'assistant',
      text: this.said,
      turn: this.turn,
      step: this.step,
      toolCalls: [...this.calls],
    });
    this.lastText = this.said;
    this.begun = false;
    this.said = '';
    this.calls.length = 0;
  }

  private begin(): void {
    if (this.begun) return;
    this.begun = true;
    this.step += 1;
    this.attempt = 1;
    this.seq = 0;
    this.announceStep();
  }

  private announceStep(): void {
    const { step, attempt } = this;
    this.agent.publish({ kind: 'step-started', ...place(this.record), step, attempt, model: 'fake:one' });
  }
}
