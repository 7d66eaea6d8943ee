import type { Sandbox } from '@daytona/sdk';
import { PortError } from '../../lib/port-error.ts';
import type { ChangeOptions } from '../backend.ts';
import type { DaytonaClient } from './client.ts';
import { stageOf, type Lifecycle } from './lifecycle.ts';
import { sandboxName, type DaytonaSettings } from './options.ts';

/**
 * Finds the sandbox of an environment or makes it; not yet awake, maybe. Idempotent, also when two callers race: its
 * name is taken once.
 */
export async function findOrMake(
  { client, lifecycle, settings }: { client: DaytonaClient; lifecycle: Lifecycle; settings: DaytonaSettings },
  environmentId: string,
  change: ChangeOptions | undefined,
): Promise<Sandbox> {
  const name = sandboxName(settings.installationId, environmentId);
  const source = settings.image ?? `the snapshot ${settings.snapshot ?? ''}`;
  const found = await client.find(name);
  if (found && stageOf(found) !== 'gone') return found;
  // Its name is free once it is gone.
  if (found) await lifecycle.remove(found, change);
  change?.progress?.(`making a Daytona sandbox from ${source}`);
  try {
    return await client.create(name, environmentId, (line) => change?.progress?.(line));
  } catch (error) {
    // Another caller was first, or the answer was lost, or it takes longer than the SDK waits: it is there then.
    const made = await client.find(name).catch(() => null);
    if (!made || stageOf(made) === 'gone') throw error;
    if (stageOf(made) !== 'failed') return made;
    // Nothing is in it yet, so the next try begins anew.
    await lifecycle.remove(made, change);
    const reason = made.errorReason ?? 'no reason given';
    throw new PortError('Terminal.BackendUnavailable', `Daytona could not make a sandbox from ${source}: ${reason}`);
  }
}
