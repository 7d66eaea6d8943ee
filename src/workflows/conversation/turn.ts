import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { ConversationActivities, ModelStepOutcome, PlannedToolCall } from '../../contracts/activities.ts';
import type { DecideRequest } from '../../contracts/conversation.ts';
import { searchAttributeNames } from '../../contracts/search-attributes.ts';
import { runsInParallel } from '../../domain/effect.ts';
import { deliveryOptions, modelOptions, storeOptions, toolOptions } from './activity-options.ts';
import type { ConversationState, TurnProgress } from './conversation-state.ts';
import { showDetails } from './details.ts';
import { describeFailure } from './failure.ts';
import { addUsage } from './usage.ts';

const stateAttribute = defineSearchAttributeKey(searchAttributeNames.state, SearchAttributeType.KEYWORD);
const titleAttribute = defineSearchAttributeKey(searchAttributeNames.title, SearchAttributeType.TEXT);

type Ending =
  | { readonly kind: 'final' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'interrupted'; readonly message: string }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** One turn: model steps and tool calls until there is an answer, the person stops it, or it fails. */
export class Turn {
  private readonly scope = new CancellationScope();
  private readonly progress: TurnProgress;
  /** Calls that change things run one after another, in the order the model made them. */
  private serial: Promise<unknown> = Promise.resolve();
  private readonly state: ConversationState;

  constructor(state: ConversationState) {
    this.state = state;
    this.progress = state.beginTurn(new Date().toISOString());
  }

  interrupt(by: string): void {
    this.progress.interruptedBy ??= by;
    this.scope.cancel();
  }

  async run(): Promise<void> {
    let ending: Ending;
    try {
      ending = await this.scope.run(() => this.steps());
    } catch (error) {
      ending = this.endingOf(error);
    }
    this.progress.phase = 'finishing';
    // The person, and the store, hear of the end whatever was cancelled.
    await CancellationScope.nonCancellable(() => this.finish(ending));
    this.state.endTurn(this.progress, ending.kind !== 'duplicate');
  }

  private async steps(): Promise<Ending> {
    for (;;) {
      this.progress.step += 1;
      const outcome = await this.step();
      switch (outcome.kind) {
        case 'final':
          this.showTitle(outcome.title);
          return { kind: 'final' };
        case 'duplicate':
          return { kind: 'duplicate' };
        case 'interrupted':
          return { kind: 'interrupted', message: 'Stopped.' };
        case 'budget':
          return { kind: 'interrupted', message: `Stopped: ${outcome.title}` };
        case 'tools':
          await this.runCalls(outcome.calls);
      }
    }
  }

  /** One model step; where a budget is reached, asks and goes on with the same step once more is granted. */
  private async step(): Promise<ModelStepOutcome> {
    const { progress, state } = this;
    const drained = state.drainForStep(progress);
    for (;;) {
      progress.phase = 'thinking';
      showDetails(state);
      const { invokeModel } = proxyActivities<ConversationActivities>(
        modelOptions(state.settings.heartbeatTimeoutMs, `invokeModel step ${String(progress.step)}`),
      );
      const outcome = await invokeModel({
        conversationId: state.conversationId,
        turn: progress.turn,
        step: progress.step,
        inboundIds: drained.map((one) => one.inboundId),
        spent: {
          steps: progress.steps,
          tokens: progress.usage.inputTokens + progress.usage.outputTokens,
          costUsd: progress.usage.costUsd,
          startedAt: progress.startedAt,
        },
        budgetGrants: progress.budgetGrants,
      });
      progress.undelivered = [];
      if ('usage' in outcome) {
        progress.steps += 1;
        progress.usage = addUsage(progress.usage, outcome.usage);
      }
      if (outcome.kind !== 'budget') return outcome;
      const decision = await this.waitFor(outcome.approvalId, outcome.title, 'budget');
      if (decision.decision !== 'approve') return outcome;
      progress.budgetGrants += 1;
    }
  }

  private async runCalls(calls: readonly PlannedToolCall[]): Promise<void> {
    if (calls.length === 0) return;
    this.progress.phase = 'working';
    showDetails(this.state);
    // Settled, not all: a call that fails must not leave the others running behind the turn's back.
    const results = await Promise.allSettled(calls.map((call) => this.runCall(call)));
    for (const result of results) {
      if (result.status === 'rejected') throw result.reason;
    }
  }

  private async runCall(call: PlannedToolCall): Promise<void> {
    const decision =
      call.ask === undefined ? undefined : await this.waitFor(call.ask.approvalId, call.ask.title, call.ask.kind);
    const execute = () => this.execute(call, decision);
    if (runsInParallel(call.effect)) return execute();
    const mine = this.serial.then(execute);
    this.serial = mine.catch(() => undefined);
    return mine;
  }

  private async execute(call: PlannedToolCall, decision: DecideRequest | undefined): Promise<void> {
    const { executeTool } = proxyActivities<ConversationActivities>(
      toolOptions(this.state.settings.heartbeatTimeoutMs, call),
    );
    await executeTool({
      conversationId: this.state.conversationId,
      turn: this.progress.turn,
      step: this.progress.step,
      callKey: call.callKey,
      ...(decision === undefined
        ? {}
        : {
            decision: {
              decision: decision.decision,
              ...(decision.answer === undefined ? {} : { answer: decision.answer }),
            },
          }),
    });
  }

  /** Waits, for days if need be, for the person's word. */
  private async waitFor(approvalId: string, title: string, kind: string): Promise<DecideRequest> {
    const { progress, state } = this;
    const known = progress.decisions[approvalId];
    if (known !== undefined) return known;
    state.ask(progress, { approvalId, title, kind });
    progress.phase = 'waiting';
    showDetails(state);
    this.showState('waiting');
    await this.deliver({ kind: 'ask', approvalId });
    try {
      await condition(() => progress.decisions[approvalId] !== undefined);
    } finally {
      state.settle(progress, approvalId);
      progress.phase = 'working';
      if (progress.waiting.length === 0) this.showState('active');
    }
    const decision = progress.decisions[approvalId];
    if (decision === undefined) throw new Error('a wait ended without a decision');
    return decision;
  }

  /** Lets people list what waits for them; only where the server knows the attribute, else the workflow would fail. */
  private showState(value: 'waiting' | 'active'): void {
    if (this.state.settings.searchAttributes) upsertSearchAttributes([{ key: stateAttribute, value }]);
  }

  /** Once per conversation, so that it can be found by its title. */
  private showTitle(title: string): void {
    if (title === this.state.title) return;
    this.state.title = title;
    if (this.state.settings.searchAttributes) upsertSearchAttributes([{ key: titleAttribute, value: title }]);
  }

  private endingOf(error: unknown): Ending {
    if (isCancellation(error)) return { kind: 'interrupted', message: 'Stopped.' };
    return { kind: 'failed', ...describeFailure(error) };
  }

  private async finish(ending: Ending): Promise<void> {
    if (ending.kind === 'duplicate') return;
    if (ending.kind !== 'final') {
      const { finaliseTurn } = proxyActivities<ConversationActivities>({ ...storeOptions, summary: 'finaliseTurn' });
      await finaliseTurn({
        conversationId: this.state.conversationId,
        turn: this.progress.turn,
        outcome: ending.kind,
        message: ending.message,
        ...(ending.kind === 'failed' ? { code: ending.code } : {}),
        inboundIds: this.progress.undelivered.map((one) => one.inboundId),
      });
    }
    await this.deliver({ kind: 'answer' });
  }

  /** Clients that read the store have no address, and cost nothing here. */
  private async deliver(
    what: { readonly kind: 'answer' } | { readonly kind: 'ask'; readonly approvalId: string },
  ): Promise<void> {
    const to = this.progress.replyTo;
    if (to === undefined) return;
    const { deliverMessage } = proxyActivities<ConversationActivities>(
      deliveryOptions(this.state.settings.heartbeatTimeoutMs, to.platform),
    );
    await deliverMessage({
      conversationId: this.state.conversationId,
      turn: this.progress.turn,
      to,
      what,
    });
  }
}
