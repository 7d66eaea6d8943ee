/**
 * The real supervisor over the fixture service: run as a process of its own with HERMES_HOME and a plan as JSON in
 * HERMES_TEST_PLAN, so that tests can kill it.
 */
import { join } from 'node:path';
import type { Plan } from '../../src/workers/supervise/plan.ts';
import { logLine, runSupervisor } from '../../src/workers/supervisor.ts';

await runSupervisor({
  home: process.env['HERMES_HOME'] ?? '',
  env: process.env,
  report: logLine,
  plan: () => Promise.resolve(JSON.parse(process.env['HERMES_TEST_PLAN'] ?? '') as Plan),
  service: {
    script: join(import.meta.dirname, 'fixture-service.ts'),
    nodeArgs: ['--import', import.meta.resolve('tsx')],
  },
  houseKeepingMs: 200,
});
