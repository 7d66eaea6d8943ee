import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  isCancellation,
  log,
  proxyActivities,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type {
  ConversationActivities,
  ExecuteToolInput,
  ModelStepOutcome,
  PlannedToolCall,
} from '../../contracts/activities.ts';
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

function wordOf({ decision, answer }: DecideRequest): NonNullable<ExecuteToolInput['decision']> {
  return { decision, ...(answer === undefined ? {} : { answer }) };
}

/** One turn: model steps and tool calls until there is an answer, the person stops it, or it fails. */
export class Turn {
  private readonly scope = new CancellationScope();
  private readonly progress: TurnProgress;
  /** Calls that change things run one after another, in the order the model made them. */
  private serial: Promise<unknown> = Promise.resolve();
  /** A call failed for good, so the turn will: what has not begun does not begin any more. */
  private broken = false;
  private readonly state: ConversationState;

  constructor(state: ConversationState) {
    this.state = state;
    this.progress = state.beginTurn(new Date().toISOString());
  }

  /** @returns whether there was anything left to stop. */
  interrupt(by: string): boolean {
    if (this.progress.phase === 'finishing') return false;
    this.progress.interruptedBy ??= by;
    this.scope.cancel();
    return true;
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
          // Its calls may all have ended decently; a message that came since must not be drained into a turn that is over.
          if (this.isInterrupted()) return { kind: 'interrupted', message: 'Stopped.' };
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
        modelOptions(state.settings.heartbeatTimeoutMs, ['invokeModel', state.model, `step ${String(progress.step)}`]),
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
        if (outcome.usage.model !== '') state.model = outcome.usage.model;
      }
      if (outcome.kind !== 'budget') return outcome;
      const decision = await this.waitFor(outcome.approvalId, outcome.title, 'budget');
      if (decision?.decision !== 'approve') return outcome;
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
    if (runsInParallel(call.effect)) return this.execute(call, decision);
    const mine = this.serial.then(() => this.execute(call, decision));
    this.serial = mine.catch(() => undefined);
    return mine;
  }

  private async execute(call: PlannedToolCall, decision: DecideRequest | undefined): Promise<void> {
    if (this.broken) return;
    try {
      await this.executeTool(call, decision);
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }

  private async executeTool(call: PlannedToolCall, decision: DecideRequest | undefined): Promise<void> {
    const { executeTool } = proxyActivities<ConversationActivities>(
      toolOptions(this.state.settings.heartbeatTimeoutMs, call),
    );
    const input: ExecuteToolInput = {
      conversationId: this.state.conversationId,
      turn: this.progress.turn,
      step: this.progress.step,
      callKey: call.callKey,
      ...(decision === undefined ? {} : { decision: wordOf(decision) }),
    };
    let result = await executeTool(input);
    // The machine it wants to work on may need a person's word first: a key to trust, an environment to make anew.
    while (result.ask !== undefined) {
      const { approvalId, title, kind } = result.ask;
      const word = await this.waitFor(approvalId, title, kind);
      if (word === undefined) return;
      this.progress.phase = 'working';
      showDetails(this.state);
      result = await executeTool({ ...input, terminalDecision: { approvalId, ...wordOf(word) } });
    }
  }

  /**
   * Waits, for days if need be, for the person's word.
   * @returns undefined when the turn failed meanwhile and the answer matters no more.
   */
  private async waitFor(approvalId: string, title: string, kind: string): Promise<DecideRequest | undefined> {
    const { progress, state } = this;
    const isOver = (): boolean => progress.decisions[approvalId] !== undefined || this.broken;
    if (isOver()) return progress.decisions[approvalId];
    state.ask(progress, { approvalId, title, kind });
    showDetails(state);
    this.showState('waiting');
    // Beside the wait: a platform that cannot be reached must not keep the person from deciding elsewhere.
    const asking = new CancellationScope();
    const asked = asking.run(() => this.deliver({ kind: 'ask', approvalId }));
    try {
      await condition(isOver);
    } finally {
      asking.cancel();
      await asked;
      state.settle(progress, approvalId);
      if (progress.waiting.length === 0) this.showState('active');
      showDetails(state);
    }
    return progress.decisions[approvalId];
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

  private isInterrupted(): boolean {
    return this.progress.interruptedBy !== null;
  }

  private endingOf(error: unknown): Ending {
    // What is stopped may fail in its own way, for instance when its worker died meanwhile.
    if (isCancellation(error) || this.isInterrupted()) return { kind: 'interrupted', message: 'Stopped.' };
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

  /**
   * Clients that read the store have no address, and cost nothing here. Never rejects: the text is in the store, and a
   * platform that refuses it must not end the conversation.
   */
  private async deliver(
    what: { readonly kind: 'answer' } | { readonly kind: 'ask'; readonly approvalId: string },
  ): Promise<void> {
    const to = this.progress.replyTo;
    if (to === undefined) return;
    const { conversationId, settings } = this.state;
    const { turn } = this.progress;
    const { deliverMessage } = proxyActivities<ConversationActivities>(
      deliveryOptions(settings.heartbeatTimeoutMs, to.platform),
    );
    try {
      await deliverMessage({ conversationId, turn, to, what });
    } catch (error) {
      if (isCancellation(error)) return;
      log.warn('could not be delivered', { conversationId, turn, ...describeFailure(error) });
    }
  }
}
