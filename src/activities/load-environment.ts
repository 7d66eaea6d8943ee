import type { EnvironmentRecord } from '../contracts/environment.ts';
import { recordOf } from './change-environment.ts';
import type { ActivityDeps } from './deps.ts';

/** Null: it was never made. */
export async function loadEnvironment(
  deps: Pick<ActivityDeps, 'store'>,
  input: { readonly environmentId: string },
): Promise<EnvironmentRecord | null> {
  const row = await deps.store.environments.get(input.environmentId);
  return row === null ? null : recordOf(row);
}
