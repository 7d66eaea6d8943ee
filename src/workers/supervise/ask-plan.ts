import { spawn } from 'node:child_process';
import { StartProblem, type Report } from '../problem.ts';
import type { Entry } from './entry.ts';
import type { Plan, PlanAnswer } from './plan.ts';

/**
 * Runs `make-plan` as a process of its own and hands on its progress. Throws StartProblem with what that process says,
 * or when it ends without an answer.
 */
export async function askPlan(entry: Entry, env: NodeJS.ProcessEnv, report: Report): Promise<Plan> {
  const child = spawn(process.execPath, [...entry.nodeArgs, entry.script], { stdio: ['ignore', 'pipe', 'pipe'], env });
  let output = '';
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    lines.filter((line) => line !== '').forEach(report);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const line = output.trim().split('\n').at(-1) ?? '';
  if (code !== 0 || line === '') {
    throw new StartProblem(`the set-up step ended with ${code ?? 'a signal'}: ${rest}`, 'Run `hermes doctor`.');
  }
  const answer = JSON.parse(line) as PlanAnswer;
  if (!answer.ok) throw new StartProblem(answer.message, answer.hint);
  return answer.plan;
}
