import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import { examine } from '../service/doctor/examine.ts';
import type { Finding } from '../service/doctor/finding.ts';
import { wantsColour } from '../io.ts';
import { printJson, printText } from './with-client.ts';

/** `hermes doctor`: checks every part for real. Exit code 1 when something is wrong. */
export function command(): Command {
  return new Command('doctor')
    .description('check every part for real and say what to do; exit code 1 when something is wrong')
    .option('--fix', 'put right what can be put right safely')
    .option('--json', 'as JSON')
    .action(doctor);
}

async function doctor(options: { fix?: true; json?: true }): Promise<void> {
  const findings: Finding[] = [];
  for await (const finding of examine(hermesHome(process.env), process.env, options.fix === true)) {
    findings.push(finding);
    if (options.json !== true) await printText(describe(finding));
  }
  if (options.json === true) await printJson(findings);
  const wrong = findings.filter((finding) => finding.state === 'wrong').length;
  if (wrong > 0) process.exitCode = 1;
  if (options.json !== true) await printText(wrong === 0 ? 'All is well.\n' : `${wrong} to put right.\n`);
}

const marks = { fine: ['✓', '32'], note: ['!', '33'], wrong: ['✗', '31'], fixed: ['✓', '36'] } as const;

function describe({ name, state, detail, hint }: Finding): string {
  const [mark, colour] = marks[state];
  const shown = wantsColour(process.stdout) ? `\u001b[${colour}m${mark}\u001b[0m` : mark;
  const after = hint === undefined ? '' : `  ${hint.replaceAll('\n', '\n  ')}\n`;
  return `${shown} ${name.padEnd(18)}${state === 'fixed' ? 'put right: ' : ''}${detail}\n${after}`;
}
