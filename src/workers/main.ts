/**
 * The service process: worker, gateway and HTTP API in one, or one of them alone (`--role worker|gateway`).
 * Exit codes: 0 after SIGTERM or SIGINT, 78 for a configuration or database a person must mend, 1 for anything else.
 */
import { Runtime, makeTelemetryFilterString } from '@temporalio/worker';
import { parseArgs } from 'node:util';
import { PortError } from '../lib/port-error.ts';
import { BadConfig, openCore, type Core } from './core.ts';
import { createService, isRole, type Role } from './service.ts';

const exitNeedsPerson = 78;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { role: { type: 'string', default: 'all' } } });
  if (!isRole(values.role))
    throw new PortError('Config.Invalid', `--role is all, worker or gateway, not ${values.role}`);
  const role: Role = values.role;
  const core = await openCore(process.env, role === 'all' ? 'service' : role);
  installRuntime(core);
  const service = createService(core, role);

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    core.log.info({ signal }, 'stopping');
    service.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await service.start();
}

/** One log for the SDK's native part and us, and no signal handlers but our own. */
function installRuntime(core: Core): void {
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'debug', WARN: 'warn', ERROR: 'error' } as const;
  Runtime.install({
    shutdownSignals: [],
    logger: {
      log: (level, message, meta) => core.log[levels[level]]({ ...meta }, message),
      trace: (message, meta) => core.log.trace({ ...meta }, message),
      debug: (message, meta) => core.log.debug({ ...meta }, message),
      info: (message, meta) => core.log.debug({ ...meta }, message),
      warn: (message, meta) => core.log.warn({ ...meta }, message),
      error: (message, meta) => core.log.error({ ...meta }, message),
    },
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
  });
}

function fail(error: unknown): never {
  const needsPerson =
    error instanceof BadConfig || (PortError.is(error) && !error.retryable && /^(Config|Storage)\./.test(error.code));
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (!needsPerson && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
  process.exit(needsPerson ? exitNeedsPerson : 1);
}

main().catch(fail);
