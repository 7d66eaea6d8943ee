import { Context } from '@temporalio/activity';
import { CancelledFailure, type ApplicationFailure } from '@temporalio/common';
import type {
  ConversationActivities,
  ExecuteToolResult,
  InvokeModelInput,
  ModelStepOutcome,
} from '../contracts/activities.ts';
import type { EnvironmentActivities, EnvironmentRecord } from '../contracts/environment.ts';
import { stepKey } from '../domain/ids.ts';
import { changeEnvironment } from './change-environment.ts';
import type { ActivityDeps } from './deps.ts';
import { deliverMessage } from './deliver-message.ts';
import { executeTool } from './execute-tool.ts';
import { finalFailure, handOver, toFailure } from './failure.ts';
import { finaliseTurn } from './finalise-turn.ts';
import { ActivityStopped, underHeartbeat } from './heartbeat.ts';
import { InFlight } from './in-flight.ts';
import { inspectEnvironment } from './inspect-environment.ts';
import { invokeModel } from './invoke-model.ts';
import { loadConversation } from './load-conversation.ts';
import { loadEnvironment } from './load-environment.ts';

/** The one object of activities a worker registers. */
export function createActivities(deps: ActivityDeps): ConversationActivities & EnvironmentActivities {
  return { ...conversationActivities(deps), ...createEnvironmentActivities(deps) };
}

function conversationActivities(deps: ActivityDeps): ConversationActivities {
  const steps = new InFlight<ModelStepOutcome>();
  const calls = new InFlight<ExecuteToolResult>();
  return {
    loadConversation: (input) => guarded(() => loadConversation(deps, input)),
    invokeModel: (input) =>
      guarded(
        () =>
          underHeartbeat((signal) =>
            steps.join(stepKey(input.conversationId, input.turn, input.step), signal, (stop) =>
              invokeModel(deps, input, stop),
            ),
          ).then((outcome) => {
            // The last step of a turn: nobody else tells that it has ended.
            if (outcome.kind === 'final') deps.terminals.endTurn(input);
            return outcome;
          }),
        (failure) => announceRetry(deps, input, failure),
      ),
    executeTool: (input) => {
      const { attempt } = Context.current().info;
      return guarded(() =>
        underHeartbeat((signal) =>
          calls.join(input.callKey, signal, (stop) => executeTool(deps, input, attempt, stop)),
        ),
      );
    },
    finaliseTurn: (input) =>
      guarded(async () => {
        await finaliseTurn(deps, input);
        deps.terminals.endTurn(input);
      }),
    deliverMessage: (input) => guarded(() => underHeartbeat((signal) => deliverMessage(deps, input, signal))),
  };
}

/** What the environment workflow calls; apart, since it needs little. */
export function createEnvironmentActivities(
  deps: Pick<ActivityDeps, 'store' | 'backendOf' | 'redact' | 'log'>,
): EnvironmentActivities {
  const changes = new InFlight<EnvironmentRecord>();
  return {
    loadEnvironment: (input) => guarded(() => loadEnvironment(deps, input)),
    inspectEnvironment: (input) => guarded(() => inspectEnvironment(deps, input)),
    changeEnvironment: (input) =>
      guarded(() =>
        underHeartbeat((signal, say) =>
          changes
            .join(`${input.environmentId}/${input.op}`, signal, (stop) =>
              changeEnvironment(deps, input, { signal: stop, say }),
            )
            .catch((error: unknown) => {
              throw error instanceof ActivityStopped ? error : finalFailure(error);
            }),
        ),
      ),
  };
}

/** Makes every failure one the workflow understands. `beforeRetry` hears of those that will be tried again. */
async function guarded<T>(work: () => Promise<T>, beforeRetry?: (failure: ApplicationFailure) => void): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ActivityStopped) {
      throw error.reason === 'stopped' ? new CancelledFailure('stopped by the person') : handOver();
    }
    const failure = toFailure(error, Context.current().info.attempt);
    if (failure.nonRetryable !== true) beforeRetry?.(failure);
    throw failure;
  }
}

/** A wait of seconds or minutes looks like a hang to whoever watches, unless they are told what it is for. */
function announceRetry(deps: ActivityDeps, input: InvokeModelInput, failure: ApplicationFailure): void {
  const { conversationId, turn } = input;
  const delayMs = typeof failure.nextRetryDelay === 'number' ? failure.nextRetryDelay : 0;
  const when = delayMs < 1_000 ? 'now' : `in ${String(Math.round(delayMs / 1_000))} s`;
  const text = deps.redact(`${failure.message} Trying again ${when}.`);
  deps.bus.publish({ conversationId, turn, kind: 'notice', text });
  deps.log.warn({ conversationId, turn, step: input.step, failureType: failure.type, delayMs }, 'model step failed');
}
