import type { TerminalSession } from '../backends/backend.ts';
import type { InspectEnvironmentResult } from '../contracts/environment.ts';
import { PortError } from '../lib/port-error.ts';
import type { ActivityDeps } from './deps.ts';

/** More conversations than this at once are not asked; the newest ones are the ones whose commands may still run. */
const maxConversations = 50;
/** A conversation takes hold of an environment some time before that is awake. */
const slackMs = 24 * 60 * 60_000;

/** Counts the commands that run in an environment, over all conversations that have used it since it was woken. */
export async function inspectEnvironment(
  deps: Pick<ActivityDeps, 'store' | 'backendOf'>,
  input: { readonly environmentId: string },
): Promise<InspectEnvironmentResult> {
  const row = await deps.store.environments.get(input.environmentId);
  if (row === null || row.handle === null) return { runningCommands: 0, awake: false };
  const since = new Date(Date.parse(row.awakeSince ?? row.updatedAt) - slackMs).toISOString();
  const users = await deps.store.terminalUses.conversationsOf(input.environmentId, since, maxConversations);
  const backend = await deps.backendOf(row.backend);
  try {
    const session = await backend.connect(row.handle);
    let runningCommands = 0;
    for (const conversationId of users) runningCommands += await countRunning(session, conversationId);
    return { runningCommands, awake: true };
  } catch (error) {
    const asleep = PortError.is(error) && (error.code === 'Terminal.Asleep' || error.code === 'Terminal.SessionLost');
    if (asleep) return { runningCommands: 0, awake: false };
    throw error;
  }
}

async function countRunning(session: TerminalSession, sessionKey: string): Promise<number> {
  const runs = await session.listRuns(sessionKey);
  return runs.filter((run) => run.phase === 'running').length;
}
