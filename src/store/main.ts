import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PortError } from '../lib/port-error.ts';
import { createBackup } from './backup-folder.ts';
import { checkStore } from './check-store.ts';
import { toPortError } from './errors.ts';
import { restoreBackup } from './restore-backup.ts';

/**
 * The store as a process, for the command, which loads no database itself:
 *
 *   main.js backup  --home DIR [--to FOLDER] [--secrets] [--json]
 *   main.js restore --home DIR --from FOLDER|FILE|NAME|latest [--json]
 *   main.js list    --home DIR [--json]
 *   main.js check   --home DIR [--json]
 *
 * Prints the result; exits 0, 1 when it failed (`{"error":{"code","message"}}` with --json), 2 for wrong usage.
 */
interface Request {
  readonly home: string;
  readonly to: string | undefined;
  readonly from: string | undefined;
  readonly secrets: boolean;
}

/** What was done: for programs, and for people. */
interface Outcome {
  readonly json: unknown;
  readonly text: string;
}

const actions: Readonly<Record<string, (request: Request) => Promise<Outcome> | Outcome>> = {
  backup,
  restore,
  list,
  check,
};

async function backup(request: Request): Promise<Outcome> {
  const stamp = new Date().toISOString().replace(/[-:]/g, '').replace('.', '');
  const to = request.to === undefined ? join(request.home, 'backups', `hermes-${stamp}`) : resolve(request.to);
  const { folder, manifest } = await createBackup({ home: request.home, to, withSecrets: request.secrets });
  const sizeBytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const names = manifest.files.map((file) => file.name).join(', ');
  return {
    json: { folder, sizeBytes, ...manifest },
    text: `${folder}\n${names}; ${(sizeBytes / 1e6).toFixed(1)} MB\n`,
  };
}

async function restore(request: Request): Promise<Outcome> {
  const result = await restoreBackup({ home: request.home, from: backupNamed(request) });
  const aside = result.keptAside.map((path) => `  ${path}\n`).join('');
  return {
    json: result,
    text:
      `Restored ${result.restored.join(', ')} from ${result.from}.\n` +
      (aside === '' ? '' : `What was there before is kept:\n${aside}`),
  };
}

function list({ home }: Request): Outcome {
  const names = backupNames(home);
  return { json: { backups: names }, text: names.map((name) => `${name}\n`).join('') || 'There are no backups.\n' };
}

function check({ home }: Request): Outcome {
  const result = checkStore(join(home, 'hermes.db'));
  return {
    json: result,
    text:
      `${result.file} is sound: ${result.conversations} conversations, ${result.messages} messages, ` +
      `${(result.sizeBytes / 1e6).toFixed(1)} MB.\n`,
  };
}

/** A path, or the name of one of the home folder's own backups, or `latest`. */
function backupNamed({ home, from }: Request): string {
  if (from === undefined) throw new UsageError('Name the backup: --from');
  const own = backupNames(home);
  const name = from === 'latest' ? own.at(-1) : from;
  if (name === undefined) {
    throw new PortError('Storage.Unavailable', `There is no backup in ${join(home, 'backups')}.`, { retryable: false });
  }
  return own.includes(name) && !isAbsolute(name) ? join(home, 'backups', name) : resolve(name);
}

/** Whole backups, oldest first. */
function backupNames(home: string): readonly string[] {
  const dir = join(home, 'backups');
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.startsWith('hermes-') && !name.includes('.unfinished'))
    .sort();
}

class UsageError extends Error {}

function parse(args: readonly string[]): { action: string; json: boolean; request: Request } {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      home: { type: 'string' },
      to: { type: 'string' },
      from: { type: 'string' },
      secrets: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [action, ...rest] = positionals;
  if (action === undefined || rest.length > 0 || !Object.hasOwn(actions, action)) {
    throw new UsageError(`One of: ${Object.keys(actions).join(', ')}`);
  }
  if (values.home === undefined) throw new UsageError('--home is missing');
  const request = { home: resolve(values.home), to: values.to, from: values.from, secrets: values.secrets };
  return { action, json: values.json, request };
}

async function run(args: readonly string[]): Promise<number> {
  let json = args.includes('--json');
  try {
    const parsed = parse(args);
    json = parsed.json;
    const outcome = await actions[parsed.action]?.(parsed.request);
    process.stdout.write(json ? `${JSON.stringify(outcome?.json)}\n` : (outcome?.text ?? ''));
    return 0;
  } catch (error) {
    if (error instanceof UsageError || isParseError(error)) {
      process.stderr.write(`${(error as Error).message}\n`);
      return 2;
    }
    const { code, message } = toPortError(error);
    if (json) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
    else process.stderr.write(`hermes: ${message}\n`);
    return 1;
  }
}

function isParseError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS');
}

process.exitCode = await run(process.argv.slice(2));
