/**
 * The conversation workflow: waits for messages, runs turns one after another, continues as new between turns, completes
 * when idle. It knows no tools, no models and no text; those live in activities and the store. No Node, no zod, no clock
 * but the workflow's own here.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  log,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { ConversationActivities } from '../../contracts/activities.ts';
import type { ConfigureRequest, ConversationInput } from '../../contracts/conversation.ts';
import { storeOptions } from './activity-options.ts';
import { conversationSchemaVersion, migrateCarriedState } from './carried-state.ts';
import { ConversationState } from './conversation-state.ts';
import { showDetails } from './details.ts';
import {
  closeUpdate,
  configureUpdate,
  decideUpdate,
  inboundSignal,
  interruptUpdate,
  snapshotQuery,
} from './messages.ts';
import { Turn } from './turn.ts';

const historyBytesLimit = 1_000_000;

export async function conversation(input: ConversationInput): Promise<void> {
  const state = new ConversationState(input, migrateCarriedState(input));
  const run = { turn: null as Turn | null };
  registerHandlers(state, run);
  // Cancelled from outside: what runs is stopped and told so, what was accepted before is still answered, then it ends.
  CancellationScope.current().cancelRequested.catch(() => {
    state.closing = true;
    run.turn?.interrupt('cancel');
  });
  await CancellationScope.nonCancellable(() => converse(input, state, run));
}

async function converse(input: ConversationInput, state: ConversationState, run: { turn: Turn | null }): Promise<void> {
  if (input.carried === undefined && input.fresh !== true) {
    const { loadConversation } = proxyActivities<ConversationActivities>({
      ...storeOptions,
      summary: 'loadConversation',
    });
    state.adopt(await loadConversation({ conversationId: state.conversationId }));
  }

  const idle = new IdleTimer(state);
  for (;;) {
    showDetails(state);
    await condition(() => state.hasWork || state.closing || idle.isExpired());
    if (!state.hasWork) break;
    run.turn = new Turn(state);
    await run.turn.run();
    run.turn = null;
    idle.touch();
    if (shouldContinueAsNew(state)) {
      idle.stop();
      await condition(allHandlersFinished);
      await continueAsNew<typeof conversation>({
        schemaVersion: conversationSchemaVersion,
        conversationId: state.conversationId,
        settings: state.settings,
        carried: state.carry(),
      });
    }
  }
  idle.stop();
  log.info('conversation idle, completing', { conversationId: state.conversationId, turns: state.turnsInRun });
}

function shouldContinueAsNew(state: ConversationState): boolean {
  const info = workflowInfo();
  return (
    info.continueAsNewSuggested ||
    info.historyLength > state.settings.continueAsNewAfterEvents ||
    info.historySize > historyBytesLimit
  );
}

function registerHandlers(state: ConversationState, run: { turn: Turn | null }): void {
  setHandler(inboundSignal, (envelope) => {
    if (state.receive(envelope).interrupt) run.turn?.interrupt('message');
  });
  setHandler(interruptUpdate, (request) => {
    const turn = state.current?.turn ?? null;
    const isMeant = request.turn === undefined || request.turn === turn;
    return { interrupted: isMeant && run.turn?.interrupt(request.by) === true, turn };
  });
  setHandler(decideUpdate, (request) => ({ accepted: state.decide(request) }));
  setHandler(
    configureUpdate,
    (request) => {
      state.configure(request);
      showDetails(state);
      return true;
    },
    {
      validator: (request: ConfigureRequest) => {
        const idleMs = request.settings?.idleCompleteMs;
        if (idleMs !== undefined && !(idleMs > 0)) throw new Error('settings.idleCompleteMs must be positive');
      },
    },
  );
  setHandler(closeUpdate, () => {
    state.closing = true;
    return true;
  });
  setHandler(snapshotQuery, () => state.snapshot());
}

/**
 * One long timer for all waits of a run instead of one per wait: a turn costs no timer, and the workflow still completes
 * between one and two idle periods after the last thing that happened. While a turn runs, be it for days, no timer is
 * started anew.
 */
class IdleTimer {
  private expired = false;
  private touched = false;
  private readonly scope = new CancellationScope();
  private readonly state: ConversationState;

  constructor(state: ConversationState) {
    this.state = state;
    void this.scope
      .run(() => this.watch())
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
  }

  isExpired(): boolean {
    return this.expired;
  }

  touch(): void {
    this.touched = true;
  }

  stop(): void {
    this.scope.cancel();
  }

  private async watch(): Promise<void> {
    do {
      this.touched = false;
      await sleep(this.state.settings.idleCompleteMs);
      await condition(() => this.state.current === null);
    } while (this.wasTouched());
    this.expired = true;
  }

  private wasTouched(): boolean {
    return this.touched;
  }
}
