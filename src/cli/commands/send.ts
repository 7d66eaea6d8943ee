import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command } from 'commander';
import { CliError } from '../errors.ts';
import { readAll } from '../io.ts';
import { mostSendBytes } from '../../contracts/send-limit.ts';
import { mediaTypeOf } from '../../lib/media-type.ts';
import { printJson, printText, withClient } from './with-client.ts';

interface SendFlags {
  readonly to: string;
  readonly file: readonly string[];
  readonly json?: true;
}

/** `hermes send`: a message to a chat, without waking the agent. */
export function command(): Command {
  return new Command('send')
    .description('send a message to a chat without waking the agent')
    .argument('[text]', 'what to say; - or nothing reads standard input')
    .requiredOption('--to <chat>', 'telegram:home, telegram:CHAT, slack:CHAT:THREAD')
    .option('-f, --file <path>', 'send this file too; may be repeated', oneMore, [])
    .option('--json', 'as JSON')
    .action(send);
}

function oneMore(path: string, before: readonly string[]): readonly string[] {
  return [...before, path];
}

async function send(text: string | undefined, flags: SendFlags): Promise<void> {
  await refuseTooLarge(flags.file);
  const files = await Promise.all(flags.file.map(attachment));
  const fromInput = text === '-' || (text === undefined && (files.length === 0 || !process.stdin.isTTY));
  const words = fromInput ? (await readAll(process.stdin)).trimEnd() : (text ?? '');
  if (words.trim() === '' && files.length === 0) {
    throw new CliError('There is nothing to send.', { hint: 'hermes send --to telegram:home "text"', exitCode: 2 });
  }
  await withClient(async (client) => {
    const key = `send/${randomUUID()}`;
    const done = await client.send({ key, to: flags.to, text: words, files, waitMs: 15_000 });
    if (done.state !== 'sent') process.exitCode = done.state === 'waiting' ? 0 : 1;
    if (flags.json === true) return printJson(done);
    await printText(`${done.state}${done.detail === '' ? '' : `: ${done.detail}`}\n`);
  });
}

/** Before anything is read. What cannot be looked at fails when it is read. */
async function refuseTooLarge(paths: readonly string[]): Promise<void> {
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  const sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
  if (sizeBytes <= mostSendBytes) return;
  const names = paths.map((path) => basename(path)).join(', ');
  const has = paths.length === 1 ? 'has' : 'have together';
  throw new CliError(
    `${names} ${has} ${megabytes(sizeBytes)}; hermes send takes at most ${megabytes(mostSendBytes)} at once.`,
    {
      exitCode: 2,
    },
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

async function attachment(path: string): Promise<{ name: string; mediaType: string; base64: string }> {
  try {
    return { name: basename(path), mediaType: mediaTypeOf(path), base64: (await readFile(path)).toString('base64') };
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${(error as Error).message}`, { cause: error, exitCode: 2 });
  }
}
