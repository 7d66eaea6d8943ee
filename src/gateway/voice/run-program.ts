import { spawn } from 'node:child_process';

export interface ProgramOptions {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  readonly input?: Buffer;
  /** Most bytes of standard output; more ends the program. */
  readonly maxOutputBytes: number;
  /** Ends the program and everything it started. */
  readonly signal: AbortSignal;
}

export type ProgramEnd =
  | { readonly kind: 'exited'; readonly code: number | null; readonly output: Buffer; readonly lastWords: string }
  | { readonly kind: 'not-started'; readonly reason: string }
  | { readonly kind: 'too-much-output' };

const lastWordsChars = 500;
/** What a program's own children still hold open is not waited for longer than this. */
const drainMs = 500;

/** Runs a program without a shell in a process group of its own. Rejects only with the signal's reason. */
export function runProgram(options: ProgramOptions): Promise<ProgramEnd> {
  const { signal, maxOutputBytes } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const child = spawn(options.file, options.args, { cwd: '/', env: options.env, detached: true, shell: false });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let lastWords = '';
    let settled = false;
    const settle = (end: () => void): void => {
      if (settled) return;
      settled = true;
      signal.removeEventListener('abort', onAbort);
      endGroup(child.pid);
      end();
    };
    const onAbort = (): void => settle(() => reject(signal.reason as Error));
    const finish = (code: number | null): void =>
      settle(() => resolve({ kind: 'exited', code, output: Buffer.concat(chunks), lastWords: lastWords.trim() }));
    signal.addEventListener('abort', onAbort, { once: true });
    child.once('error', (error: NodeJS.ErrnoException) =>
      settle(() => resolve({ kind: 'not-started', reason: error.code ?? error.message })),
    );
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxOutputBytes) settle(() => resolve({ kind: 'too-much-output' }));
      else chunks.push(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(-lastWordsChars);
    });
    child.once('close', finish);
    child.once('exit', (code) => setTimeout(finish, drainMs, code).unref());
    // A program that does not read its input to the end says so by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? Buffer.alloc(0));
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
