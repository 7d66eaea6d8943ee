import { randomUUID } from 'node:crypto';
import type { RunState, TerminalSession } from '../../backends/backend.ts';
import { shellQuote } from '../../backends/run-layout.ts';
import { PortError } from '../../lib/port-error.ts';
import type { CopyResponse } from '../../contracts/api-environments.ts';

/** One end of a copy. */
export interface Workplace {
  readonly backend: string;
  readonly session: TerminalSession;
}

export interface Copy {
  readonly source: Workplace;
  readonly target: Workplace;
  /** Folder on both sides; undefined: where commands start. */
  readonly path: string | undefined;
  readonly signal: AbortSignal;
}

/** A session of its own, so that no conversation's working directory moves. */
const sessionKey = 'copy';
const packLimitMs = 3_600_000;

/**
 * Carries a folder across as one archive, in flat memory here. Files of the same name are replaced, others stay.
 * Rejects with a PortError: of either side, or Tool.Failed with what tar said.
 */
export async function copyWorkspace({ source, target, path, signal }: Copy): Promise<CopyResponse> {
  const from = await folderOf(source, path);
  const to = await folderOf(target, path);
  const name = `/tmp/hermes-copy-${randomUUID()}.tar.gz`;
  try {
    // Bytes and permissions, not owners: the account there is another one.
    await run(source, `tar -czf ${name} -C ${shellQuote(from)} .`, signal);
    const { stream, sizeBytes } = await source.session.download(name, { sessionKey });
    await run(target, `mkdir -p ${shellQuote(to)}`, signal);
    await target.session.upload(name, stream, { sessionKey, signal });
    const listing = await run(
      target,
      `tar -xozf ${name} -C ${shellQuote(to)} && tar -tzf ${name} | grep -vc '/$'`,
      signal,
    );
    return { path: { from, to }, sizeBytes, files: Number(listing.trim()) };
  } finally {
    await Promise.allSettled([source, target].map((end) => run(end, `rm -f ${name}`, undefined)));
  }
}

async function folderOf({ session }: Workplace, path: string | undefined): Promise<string> {
  return session.resolve(path ?? '.', { sessionKey });
}

/** @returns its output. */
async function run(end: Workplace, command: string, signal: AbortSignal | undefined): Promise<string> {
  const { session, backend } = end;
  const key = `copy/${randomUUID()}`;
  await session.start({ key, sessionKey, command, timeoutMs: packLimitMs });
  const { state, text } = await toEnd(session, key, signal);
  await session.forget(key);
  if (state.exitCode === 0) return text;
  const words = text.trim().slice(-300);
  throw new PortError('Tool.Failed', `The copy failed on ${backend}: ${words === '' ? 'no reason given' : words}`, {
    retryable: false,
  });
}

async function toEnd(
  session: TerminalSession,
  key: string,
  signal: AbortSignal | undefined,
): Promise<{ state: RunState; text: string }> {
  let text = '';
  for (let offset = 0; ;) {
    const more = signal === undefined ? {} : { signal };
    try {
      const { state, bytes } = await session.poll(key, { offset, maxBytes: 65_536, waitMs: 10_000, ...more });
      offset += bytes.length;
      // Only the end matters: tar may warn about every file.
      text = (text + bytes.toString('utf8')).slice(-10_000);
      if (state.phase !== 'running' && offset >= state.outputBytes) return { state, text };
    } catch (error) {
      if (signal?.aborted === true) await session.kill(key);
      throw error;
    }
  }
}
