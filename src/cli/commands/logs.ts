import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { hermesHome, homePaths } from '../../config/home.ts';
import { formatLogLine } from '../service/format-log-line.ts';
import { lastLines, LogTail } from '../service/log-tail.ts';
import { printText } from './with-client.ts';

const followEveryMs = 200;
const partNames = ['supervisor', 'service', 'worker', 'gateway', 'temporal'] as const;
type LogPart = (typeof partNames)[number];

/** `hermes logs [-f] [part]`: the end of one log or of all, and what is added to it. */
export function command(): Command {
  return new Command('logs')
    .description('what the parts write down')
    .addArgument(new Argument('[part]', 'one part only').choices(partNames))
    .option('-f, --follow', 'go on with what is added, until Ctrl-C')
    .option('-n, --lines <count>', 'how many lines of each log', wholeNumber, 40)
    .option('--raw', 'lines as they are in the file')
    .action(logs);
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It is no whole number.');
  return Number(text);
}

async function logs(part: LogPart | undefined, options: { follow?: true; lines: number; raw?: true }): Promise<void> {
  const files = homePaths(hermesHome(process.env)).logs;
  const parts = part === undefined ? partNames.filter((name) => existsSync(files[name])) : [part];
  const show = async (name: LogPart, lines: readonly string[]): Promise<void> => {
    const prefix = parts.length > 1 ? `${name.padEnd(10)} ` : '';
    const shown = lines.map((line) => `${prefix}${options.raw === true ? line : formatLogLine(line)}\n`);
    if (shown.length > 0) await printText(shown.join(''));
  };
  const tails = (options.follow === true && part === undefined ? partNames : parts).map(
    (name) => [name, new LogTail(files[name])] as const,
  );
  for (const name of parts) await show(name, lastLines(files[name], options.lines));
  while (options.follow === true) {
    await sleep(followEveryMs);
    for (const [name, tail] of tails) await show(name, tail.read());
  }
}
