import { Context } from '@temporalio/activity';
import type { ConversationActivities, ExecuteToolResult, ModelStepOutcome } from '../contracts/activities.ts';
import { stepKey } from '../domain/ids.ts';
import type { ActivityDeps } from './deps.ts';
import { deliverMessage } from './deliver-message.ts';
import { executeTool } from './execute-tool.ts';
import { handOver, toFailure } from './failure.ts';
import { finaliseTurn } from './finalise-turn.ts';
import { ActivityStopped, underHeartbeat } from './heartbeat.ts';
import { InFlight } from './in-flight.ts';
import { invokeModel } from './invoke-model.ts';
import { loadConversation } from './load-conversation.ts';

/** The one object of activities a worker registers. */
export function createActivities(deps: ActivityDeps): ConversationActivities {
  const steps = new InFlight<ModelStepOutcome>();
  const calls = new InFlight<ExecuteToolResult>();
  return {
    loadConversation: (input) => guarded(() => loadConversation(deps, input)),
    invokeModel: (input) =>
      guarded(() =>
        underHeartbeat((signal) =>
          steps.join(stepKey(input.conversationId, input.turn, input.step), signal, (stop) =>
            invokeModel(deps, input, stop),
          ),
        ),
      ),
    executeTool: (input) => {
      const { attempt } = Context.current().info;
      return guarded(() =>
        underHeartbeat((signal) =>
          calls.join(input.callKey, signal, (stop) => executeTool(deps, input, attempt, stop)),
        ),
      );
    },
    finaliseTurn: (input) => guarded(() => finaliseTurn(deps, input)),
    deliverMessage: (input) => guarded(() => underHeartbeat((signal) => deliverMessage(deps, input, signal))),
  };
}

/** Makes every failure one the workflow understands. */
async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ActivityStopped) throw handOver();
    throw toFailure(error, Context.current().info.attempt);
  }
}
