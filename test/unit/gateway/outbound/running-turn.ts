import { deliverMessage } from '../../../../src/activities/deliver-message.ts';
import type { ReplyAddress } from '../../../../src/contracts/conversation.ts';
import { commitOf } from '../../store/support/commit-of.ts';
import type { OutboundBench } from './scripted-chat.ts';

export const conversationId = 'talk';
export const here: ReplyAddress = { platform: 'chat', chat: '1' };

/** A turn as a worker runs it: in the store, and on the stream. */
export class RunningTurn {
  private readonly bench: OutboundBench;
  private readonly turn: number;
  private step = 1;
  private readonly said = new Map<string, number>();

  private constructor(bench: OutboundBench, turn: number) {
    this.bench = bench;
    this.turn = turn;
  }

  /** Begins with a message that came from a chat. */
  static async begin(bench: OutboundBench, turn = 1, replyTo: ReplyAddress | null = here): Promise<RunningTurn> {
    const { store, bus } = bench;
    await store.conversations.create({ id: conversationId, personId: 'anna', platform: 'chat' });
    const id = `inbound-${turn}`;
    const to = replyTo === null ? {} : { replyTo };
    await store.inbox.accept({ id, conversationId, personId: 'anna', platform: 'chat', text: 'hello', ...to });
    await store.steps.begin({ conversationId, turn, step: 1, inboundIds: [id] });
    const running = new RunningTurn(bench, turn);
    bus.publish({ conversationId, turn, kind: 'turn-started', inboundIds: [id] });
    bus.publish({ conversationId, turn, kind: 'step-started', step: 1, attempt: 100, model: 'm' });
    return running;
  }

  says(text: string, attempt = 100): void {
    const { turn, step } = this;
    const place = `${step}/${attempt}`;
    const seq = this.said.get(place) ?? 0;
    this.said.set(place, seq + 1);
    this.bench.bus.publish({
      conversationId,
      turn,
      step,
      attempt,
      kind: 'delta',
      channel: 'answer',
      seq,
      text,
    });
  }

  runs(summary: string): () => void {
    const call = { conversationId, turn: this.turn, step: this.step, callKey: summary, name: 'run', summary };
    this.bench.bus.publish({ ...call, kind: 'tool-started' });
    return () => this.bench.bus.publish({ ...call, kind: 'tool-finished', status: 'ok', preview: '', durationMs: 1 });
  }

  nextStep(): void {
    this.step += 1;
    this.bench.bus.publish({
      conversationId,
      turn: this.turn,
      kind: 'step-started',
      step: this.step,
      attempt: 100,
      model: 'm',
    });
  }

  /** Asks for approval, or a question with choices. @returns the approval's id. */
  async asks(
    more: { choices?: readonly string[]; ruleKey?: string; title?: string } = {},
    to: ReplyAddress = here,
  ): Promise<string> {
    const { turn } = this;
    const { store, bus } = this.bench;
    const id = `ask:${conversationId}/${turn}/${this.step}/0`;
    const { choices, ruleKey = null, title = 'Delete it?' } = more;
    const kind = choices === undefined ? 'approval' : 'question';
    const ask = { id, kind, title, detail: 'rm x', choices: choices ?? [] } as const;
    await store.approvals.ask({ ...ask, conversationId, turn, tool: 'run', ruleKey, callKey: null });
    bus.publish({ conversationId, turn, approvalId: id, ask: kind, kind: 'asked', title, detail: '', choices: [] });
    await this.deliver({ kind: 'ask', approvalId: id }, to);
    return id;
  }

  async decides(
    approvalId: string,
    decision: 'approve' | 'deny' | 'answer',
    answer: string | null = null,
  ): Promise<void> {
    const { store, bus } = this.bench;
    await store.approvals.decide({ id: approvalId, decision, scope: 'always', answer, by: 'anna' });
    bus.publish({ conversationId, turn: this.turn, kind: 'decided', approvalId, decision });
  }

  /** Ends with an answer, which goes where the turn came from or, where that is named, was handed over to. */
  async ends(text: string, options: { readonly to?: ReplyAddress } = {}): Promise<void> {
    const { turn, step } = this;
    if (options.to !== undefined) await this.bench.store.handoffs.put({ conversationId, turn, to: options.to });
    if (step > 1) await this.bench.store.steps.begin({ conversationId, turn, step, inboundIds: [] });
    await this.bench.store.steps.commit(commitOf(conversationId, turn, step, { text }));
    this.bench.bus.publish({ conversationId, turn, kind: 'turn-finished', outcome: 'done', inboundIds: [] });
    await this.deliver({ kind: 'answer' });
  }

  async deliver(what: Parameters<typeof deliverMessage>[1]['what'], to = here): Promise<void> {
    const { store, bus } = this.bench;
    const deps = { store, bus, redact: (text: string) => text };
    await deliverMessage(deps, { conversationId, turn: this.turn, to, what }, new AbortController().signal);
  }
}
