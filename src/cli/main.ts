import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hermesHome } from '../config/home.ts';
import { CliError } from './errors.ts';
import { isInteractive, writeOut, type Io } from './io.ts';

/**
 * The command. Everything is loaded when it is needed and not before: `hermes -z` must start in the time Node needs.
 *
 * @param argv the words after `hermes`.
 * @returns the exit code. Never rejects: what goes wrong is told on standard error.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const io: Io = { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr };
  // A reader that has gone away (`hermes … | head`) ends the command quietly.
  io.stdout.on('error', leaveOnClosedPipe);
  try {
    return await dispatch(argv, io);
  } catch (error) {
    return await tell(error, io);
  } finally {
    io.stdout.off('error', leaveOnClosedPipe);
  }
}

function leaveOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const first = argv[0];
  if (first !== undefined && !first.startsWith('-')) return runCommand(first, argv.slice(1), io);
  const flags = topFlags(argv);
  if (flags.help) return print((await import('./command-table.ts')).overallHelp(), io);
  if (flags.version) return print(`${(await import('./version.ts')).version()}\n`, io);
  const home = hermesHome(process.env);
  const { conversation, model, prompt } = flags;
  const talk = {
    home,
    ...(conversation === undefined ? {} : { conversation }),
    ...(model === undefined ? {} : { model }),
  };
  if (prompt !== undefined) {
    const { runOneShot } = await import('./one-shot.ts');
    return runOneShot({ ...talk, prompt, json: flags.json, wait: flags.wait }, io);
  }
  if (flags.json || !flags.wait) throw new CliError('--json and --no-wait go with -z.', { exitCode: 2 });
  if (isInteractive(io)) return (await import('./chat/chat.ts')).runChat(talk, io);
  return (await import('./pipe.ts')).runPipe(talk, io);
}

interface TopFlags {
  readonly prompt?: string | undefined;
  readonly conversation?: string | undefined;
  readonly model?: string | undefined;
  readonly json: boolean;
  readonly wait: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

function topFlags(argv: readonly string[]): TopFlags {
  try {
    const { values } = parseArgs({
      args: joinDashValues(argv),
      strict: true,
      allowPositionals: false,
      options: {
        prompt: { type: 'string', short: 'z' },
        conversation: { type: 'string', short: 'c' },
        model: { type: 'string', short: 'm' },
        json: { type: 'boolean', default: false },
        'no-wait': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'V', default: false },
      },
    });
    const { prompt, conversation, model, json, help, version } = values;
    return { prompt, conversation, model, json, help, version, wait: !values['no-wait'] };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CliError(message.split('. ')[0] ?? message, { hint: 'hermes --help shows the options.', exitCode: 2 });
  }
}

/** A prompt may well begin with a dash (`-z "- item"`), which parseArgs would take for an option. */
function joinDashValues(argv: readonly string[]): string[] {
  const joined: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    const value = argv[index + 1];
    const takesText = word === '-z' || word === '--prompt';
    if (takesText && value !== undefined) {
      joined.push(`--prompt=${value}`);
      index += 1;
    } else joined.push(word);
  }
  return joined;
}

async function runCommand(name: string, args: readonly string[], io: Io): Promise<number> {
  const { commandTable, overallHelp } = await import('./command-table.ts');
  if (name === 'help' && args[0] === undefined) return print(overallHelp(), io);
  if (name === 'help') return runCommand(args[0] ?? '', ['--help'], io);
  const entry = Object.hasOwn(commandTable, name) ? commandTable[name] : undefined;
  if (entry === undefined) {
    const { nearest } = await import('../config/nearest.ts');
    const close = nearest(name, Object.keys(commandTable));
    throw new CliError(`There is no command "${name}".`, {
      hint: close === null ? 'hermes --help lists the commands.' : `Did you mean: hermes ${close}`,
      exitCode: 2,
    });
  }
  const { runCommander } = await import('./run-commander.ts');
  return runCommander(name, await entry.load(), args);
}

async function print(text: string, io: Io): Promise<number> {
  await writeOut(io.stdout, text);
  return 0;
}

async function tell(error: unknown, io: Io): Promise<number> {
  const own = error instanceof CliError ? error : null;
  const message = error instanceof Error ? error.message : String(error);
  await writeOut(io.stderr, `hermes: ${message}\n`);
  const hint = own?.hint ?? hintOf(error);
  if (hint !== null) await writeOut(io.stderr, `  ${hint}\n`);
  if (process.env['HERMES_DEBUG'] !== undefined && error instanceof Error) {
    await writeOut(io.stderr, `${error.stack ?? ''}\n`);
  }
  return own?.exitCode ?? 1;
}

/** Errors of other rooms may carry a hint as well. */
function hintOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('hint' in error)) return null;
  return typeof error.hint === 'string' ? error.hint : null;
}

function isEntry(): boolean {
  const entry = process.argv[1];
  return entry !== undefined && realpathSync(entry) === fileURLToPath(import.meta.url);
}

if (isEntry()) process.exitCode = await run(process.argv.slice(2));
