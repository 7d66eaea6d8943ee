import { checkBackend } from './check-backend.ts';
import type { Check, Finding } from './finding.ts';
import { checkConfiguration, checkModel } from './check-configuration.ts';
import { checkDatabase } from './check-database.ts';
import { checkDisk, checkHome, checkNode, checkShell } from './check-machine.ts';
import { checkLeftovers, checkService, checkTemporal, checkTemporalProgram } from './check-service.ts';

const checks: readonly (readonly [string, Check])[] = [
  ['node', checkNode],
  ['home', checkHome],
  ['disk', checkDisk],
  ['configuration', checkConfiguration],
  ['shell', checkShell],
  ['backend', checkBackend],
  ['leftovers', checkLeftovers],
  ['temporal program', checkTemporalProgram],
  ['temporal', checkTemporal],
  ['service', checkService],
  ['database', checkDatabase],
  ['model', checkModel],
];

/** Runs every check in order. One that fails by itself is a finding like any other and ends nothing. */
export async function* examine(home: string, env: NodeJS.ProcessEnv, fix: boolean): AsyncGenerator<Finding> {
  for (const [name, check] of checks) {
    try {
      yield* await check({ home, env, fix });
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      yield { name, state: 'wrong', detail: `could not be checked: ${detail}` };
    }
  }
}
