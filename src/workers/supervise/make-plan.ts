import { describeProblem, hasErrors, loadConfig } from '../../config/load.ts';
import { hermesHome } from '../../config/home.ts';
import { messageOf, StartProblem, type Report } from '../problem.ts';
import { resolveTemporal } from '../temporal/resolve.ts';
import type { Plan, PlanAnswer } from './plan.ts';

/** Reads the configuration and finds or fetches Temporal. Throws StartProblem with all that is wrong. */
export async function makePlan(home: string, env: NodeJS.ProcessEnv, report: Report): Promise<Plan> {
  const { config, problems } = loadConfig({ home, env });
  if (hasErrors(problems)) {
    throw new StartProblem(
      `the configuration is wrong:\n${problems.map((problem) => `  ${describeProblem(problem)}`).join('\n')}`,
      'Put it right with `hermes config set KEY VALUE` or `hermes config edit`.',
    );
  }
  const temporal = await resolveTemporal(config.temporal, home, { env, report });
  const drainMs = config.service.drainSeconds * 1_000;
  if (temporal.kind === 'external') {
    const { connection, namespace } = temporal;
    return {
      temporal: { kind: 'external', address: connection.address, namespace },
      split: config.service.split,
      drainMs,
    };
  }
  const { path, cli, server } = temporal.binary;
  return {
    temporal: {
      kind: 'embedded',
      binary: { path, cli, server },
      namespace: temporal.namespace,
      port: config.temporal.port,
      uiPort: config.temporal.uiPort,
    },
    split: config.service.split,
    drainMs,
  };
}

/** The process: progress on standard error, one line of JSON on standard output. */
async function main(): Promise<void> {
  const home = hermesHome(process.env);
  const report: Report = (line) => void process.stderr.write(`${line}\n`);
  const answer: PlanAnswer = await makePlan(home, process.env, report).then(
    (plan) => ({ ok: true, plan }),
    (error: unknown) => ({
      ok: false,
      message: messageOf(error),
      hint: error instanceof StartProblem ? error.hint : '',
    }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

if (process.argv[1] === import.meta.filename) await main();
