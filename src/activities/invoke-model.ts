import type { InvokeModelInput, ModelStepOutcome, StepUsage } from '../contracts/activities.ts';
import { budgetReached, type BudgetReached } from '../domain/budget.ts';
import { approvalId } from '../domain/ids.ts';
import { systemPrompt } from '../domain/prompt.ts';
import { PortError } from '../lib/port-error.ts';
import type { ModelAnswer, ModelRequest } from '../models/provider.ts';
import type { ConversationRow } from '../store/ports.ts';
import type { ActivityDeps } from './deps.ts';
import { ActivityStopped } from './heartbeat.ts';
import { chooseWindow, toModelMessages, turnSizes, windowChars } from './model-context.ts';
import { clip, planCalls } from './plan-calls.ts';

const previewChars = 120;

/**
 * One model step. Looks into the journal first, so that a finished call is never paid twice; the answer, its usage and
 * the plan of its tool calls are one transaction before this returns.
 */
export async function invokeModel(
  deps: ActivityDeps,
  input: InvokeModelInput,
  signal: AbortSignal,
): Promise<ModelStepOutcome> {
  const { conversationId, turn, step } = input;
  const begun = await deps.store.steps.begin({ conversationId, turn, step, inboundIds: input.inboundIds });
  if (begun.journal !== null) {
    publishEnd(deps, input, begun.journal);
    return begun.journal;
  }
  if (step === 1 && begun.taken.length === 0 && input.inboundIds.length > 0) return { kind: 'duplicate' };
  if (step === 1 && begun.attempt === 1) {
    deps.bus.publish({ conversationId, turn, kind: 'turn-started', inboundIds: input.inboundIds });
  }
  const reached = await checkBudget(deps, input, begun.conversation);
  if (reached !== null) return askForBudget(deps, input, reached);
  return new ModelStep(deps, input, begun).run(signal);
}

async function checkBudget(
  deps: ActivityDeps,
  input: InvokeModelInput,
  conversation: ConversationRow,
): Promise<BudgetReached | null> {
  const { budget } = deps.settings();
  const startOfDay = `${new Date().toISOString().slice(0, 10)}T00:00:00.000Z`;
  const costTodayUsd =
    budget.maxCostPerDayUsd === null ? 0 : await deps.store.usage.costSince(conversation.personId, startOfDay);
  const wallTimeMs = Date.now() - Date.parse(input.spent.startedAt);
  return budgetReached(budget, { ...input.spent, costTodayUsd, wallTimeMs }, input.budgetGrants);
}

const limitWords: Record<BudgetReached['limit'], (value: number) => string> = {
  steps: (value) => `${String(value)} model calls in one turn`,
  tokens: (value) => `${String(value)} tokens in one turn`,
  cost: (value) => `$${value.toFixed(2)} in one turn`,
  'cost-per-day': (value) => `$${value.toFixed(2)} in one day`,
  'wall-time': (value) => `${String(Math.round(value / 60_000))} minutes in one turn`,
};

async function askForBudget(
  deps: ActivityDeps,
  input: InvokeModelInput,
  reached: BudgetReached,
): Promise<ModelStepOutcome> {
  const { conversationId, turn } = input;
  const id = approvalId(`${conversationId}/${String(turn)}/budget/${reached.limit}/${String(input.budgetGrants)}`);
  const title = `The limit of ${limitWords[reached.limit](reached.allowed)} is reached. Go on?`;
  const detail = 'Approve to grant the same amount once more; deny to stop this turn.';
  const choices = ['approve', 'deny'];
  await deps.store.approvals.ask({
    id,
    conversationId,
    turn,
    kind: 'budget',
    title,
    detail,
    choices,
    tool: null,
    ruleKey: null,
    callKey: null,
  });
  deps.bus.publish({ conversationId, turn, kind: 'asked', approvalId: id, ask: 'budget', title, detail, choices });
  return { kind: 'budget', approvalId: id, title };
}

function publishEnd(deps: ActivityDeps, input: InvokeModelInput, outcome: ModelStepOutcome): void {
  if (outcome.kind !== 'final') return;
  deps.bus.publish({
    conversationId: input.conversationId,
    turn: input.turn,
    kind: 'turn-finished',
    outcome: 'done',
    inboundIds: input.inboundIds,
  });
}

/** The call itself, from transcript to journal. */
class ModelStep {
  private readonly deps: ActivityDeps;
  private readonly input: InvokeModelInput;
  private readonly conversation: ConversationRow;
  private readonly platform: string;
  /** Generation of streamed text: a reader forgets the text of a lower one. */
  private generation: number;
  private seq = 0;
  private shown = '';

  constructor(
    deps: ActivityDeps,
    input: InvokeModelInput,
    begun: Awaited<ReturnType<ActivityDeps['store']['steps']['begin']>>,
  ) {
    this.deps = deps;
    this.input = input;
    this.conversation = begun.conversation;
    this.platform = begun.platform;
    this.generation = begun.attempt * 100;
  }

  async run(signal: AbortSignal): Promise<ModelStepOutcome> {
    this.publishStart();
    try {
      return await this.commit(await this.generate(signal));
    } catch (error) {
      if (signal.aborted && signal.reason instanceof ActivityStopped && signal.reason.reason === 'stopped') {
        return this.commitPartial();
      }
      throw error;
    }
  }

  private async generate(signal: AbortSignal): ReturnType<ActivityDeps['models']['generate']> {
    const { model } = this.conversation;
    const room = windowChars(this.deps.models.describe(model).contextTokens);
    try {
      return await this.call(await this.request(room), signal);
    } catch (error) {
      if (!PortError.is(error) || error.code !== 'Model.ContextTooLong') throw error;
      // Our estimate of tokens was too low for this language or model: once more with half as much.
      this.restart('The conversation was too long for the model; trying with less of it.');
      return this.call(await this.request(Math.floor(room / 2)), signal);
    }
  }

  private call(
    request: Omit<ModelRequest, 'model'>,
    signal: AbortSignal,
  ): ReturnType<ActivityDeps['models']['generate']> {
    return this.deps.models.generate(this.conversation.model, request, {
      signal,
      onDelta: (delta) => {
        if (delta.channel === 'answer') this.shown += delta.text;
        this.deps.bus.publish({ ...this.at(), kind: 'delta', ...delta, seq: this.seq++ });
      },
      onReset: (notice) => this.restart(notice),
    });
  }

  private async request(room: number): Promise<Omit<ModelRequest, 'model'>> {
    const { store } = this.deps;
    const { conversationId, turn } = this.input;
    const current = this.conversation.windowFromTurn;
    const [loaded, memories] = await Promise.all([
      store.transcript.load(conversationId, { fromTurn: current, toTurn: turn }),
      store.memories.list(this.conversation.personId),
    ]);
    const from = chooseWindow(turnSizes(loaded), current, room);
    if (from !== current) await store.conversations.update(conversationId, { windowFromTurn: from });
    const rows = from === current ? loaded : loaded.filter((row) => row.turn >= from);
    const settings = this.deps.settings();
    const system = systemPrompt({
      agentName: settings.agentName,
      instructions: settings.instructions,
      conversationInstructions: this.conversation.instructions,
      memories,
      backend: settings.backend,
      platform: settings.describePlatform(this.platform),
      conversationId,
      hiddenTurns: Math.max(0, from - 1),
      today: new Date().toISOString().slice(0, 10),
    });
    return {
      system: this.deps.redact(system),
      // What models and tools wrote was redacted before it was stored; what the person wrote is stored as they wrote it.
      messages: toModelMessages(rows).map((message) =>
        message.role === 'user' ? { ...message, text: this.deps.redact(message.text) } : message,
      ),
      tools: this.deps.tools.schemas(),
    };
  }

  private async commit(result: Awaited<ReturnType<ActivityDeps['models']['generate']>>): Promise<ModelStepOutcome> {
    const { answer, provider, costUsd } = result;
    const { conversationId, turn, step } = this.input;
    const usage: StepUsage = {
      inputTokens: answer.usage.inputTokens,
      outputTokens: answer.usage.outputTokens,
      costUsd,
      model: `${provider}:${answer.model}`,
    };
    const text = this.finalText(answer);
    const plan = await planCalls(this.input, answer.toolCalls, this.deps.tools, {
      conversationId,
      personId: this.conversation.personId,
      deps: this.deps.toolDeps(),
    });
    const title = await this.title();
    const preview = clip(text, previewChars);
    const outcome: ModelStepOutcome =
      answer.toolCalls.length === 0
        ? { kind: 'final', usage, preview, title: title ?? this.conversation.title }
        : { kind: 'tools', usage, preview, calls: plan.calls };
    const committed = await this.deps.store.steps.commit({
      conversationId,
      turn,
      step,
      provider,
      usage,
      cachedInputTokens: answer.usage.cachedInputTokens,
      text,
      reasoning: this.deps.redact(answer.reasoning),
      toolCalls: answer.toolCalls.map((call) => ({ ...call, argumentsText: this.deps.redact(call.argumentsText) })),
      planned: plan.planned,
      rejected: plan.rejected,
      approvals: plan.approvals,
      ...(title === null ? {} : { title }),
      outcome,
    });
    this.publishCommitted(committed.outcome, plan.approvals);
    return committed.outcome;
  }

  /** Keeps what the person has seen of an answer they stopped. */
  private async commitPartial(): Promise<ModelStepOutcome> {
    const usage: StepUsage = { inputTokens: 0, outputTokens: 0, costUsd: 0, model: '' };
    const outcome: ModelStepOutcome = { kind: 'interrupted', usage };
    if (this.shown.trim() === '') return outcome;
    const { conversationId, turn, step } = this.input;
    const committed = await this.deps.store.steps.commit({
      conversationId,
      turn,
      step,
      provider: '',
      usage,
      cachedInputTokens: 0,
      text: this.deps.redact(this.shown),
      reasoning: '',
      toolCalls: [],
      planned: [],
      rejected: [],
      approvals: [],
      outcome,
    });
    return committed.outcome;
  }

  private finalText(answer: ModelAnswer): string {
    const text = this.deps.redact(answer.text);
    if (answer.finishReason === 'length') return `${text}\n\n[The model stopped here: its output limit was reached.]`;
    return text;
  }

  /** First words of the first message, once; a person's own title is never replaced. */
  private async title(): Promise<string | null> {
    if (this.conversation.title !== '') return null;
    const { conversationId, turn } = this.input;
    const rows = await this.deps.store.transcript.load(conversationId, { fromTurn: turn, toTurn: turn });
    const first = rows.find((row) => row.role === 'user')?.text;
    return first === undefined ? null : clip(this.deps.redact(first), 60);
  }

  private at(): { conversationId: string; turn: number; step: number; attempt: number } {
    const { conversationId, turn, step } = this.input;
    return { conversationId, turn, step, attempt: this.generation };
  }

  private publishStart(): void {
    const model = this.deps.models.describe(this.conversation.model).label;
    this.deps.bus.publish({ ...this.at(), kind: 'step-started', model });
  }

  private restart(notice: string): void {
    const { conversationId, turn } = this.input;
    this.deps.bus.publish({ conversationId, turn, kind: 'notice', text: notice });
    this.generation += 1;
    this.seq = 0;
    this.shown = '';
    this.publishStart();
  }

  private publishCommitted(
    outcome: ModelStepOutcome,
    approvals: readonly {
      id: string;
      kind: 'approval' | 'question' | 'budget';
      title: string;
      detail: string;
      choices: readonly string[];
    }[],
  ): void {
    const { conversationId, turn } = this.input;
    publishEnd(this.deps, this.input, outcome);
    for (const { id, kind, title, detail, choices } of approvals) {
      this.deps.bus.publish({ conversationId, turn, kind: 'asked', approvalId: id, ask: kind, title, detail, choices });
    }
  }
}
