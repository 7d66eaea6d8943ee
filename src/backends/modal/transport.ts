import { randomUUID } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import type { ContainerProcess, Sandbox } from 'modal';
import type { InteractiveShell, ScreenOptions } from '../backend.ts';
import type { RemoteShell, ShellProcess, ShellTransport } from '../remote-shell.ts';
import { shellQuote } from '../run-layout.ts';

/**
 * Modal goes on with a command whose client has died, and counts it as use: so what we start ends after this long. A
 * shell for requests is given up well before, while nothing is asked of it.
 */
const lifeMs = { request: 60 * 60_000, person: 12 * 60 * 60_000 };
export const rotationMs = 30 * 60_000;
/** How much goes into one message; Modal's limit is 4 MB. */
const pieceBytes = 1024 * 1024;
const lastWordsMs = 5_000;

export interface SandboxTransportOptions {
  /** The sandbox as it is now; rejects with a PortError. */
  readonly sandbox: () => Promise<Sandbox>;
  /** What a failure to start something means. */
  readonly failure: (error: unknown) => Promise<Error>;
}

/** Processes in a sandbox, over the SDK's own streams, which survive an interruption of some seconds. */
export function createSandboxTransport({ sandbox, failure }: SandboxTransportOptions): ShellTransport {
  return {
    async open(command) {
      try {
        const params = { mode: 'binary', timeoutMs: lifeMs.request } as const;
        const start = `[ -n "$HOME" ] || export HOME=/root; ${command}`;
        return shellProcess(await (await sandbox()).exec(['sh', '-c', start], params));
      } catch (error) {
        throw await failure(error);
      }
    },
  };
}

/** Opens a new connection now and then, at a moment when nothing is under way. */
export function rotating(shell: RemoteShell, everyMs = rotationMs): RemoteShell {
  let running = 0;
  let openSince: number | undefined;
  return {
    async run(script, options) {
      openSince ??= Date.now();
      running += 1;
      try {
        return await shell.run(script, options);
      } finally {
        running -= 1;
        if (running === 0 && Date.now() - openSince > everyMs) {
          openSince = undefined;
          shell.close();
        }
      }
    },
    close: () => {
      openSince = undefined;
      shell.close();
    },
  };
}

function shellProcess(process: ContainerProcess<Uint8Array>): ShellProcess & { output: Readable } {
  let errors = Buffer.alloc(0);
  const gone = new AbortController();
  const input = inputOf(process);
  const output = Readable.fromWeb(process.stdout as never);
  const complaints = Readable.fromWeb(process.stderr as never);
  complaints.on('data', (piece: Buffer) => (errors = Buffer.concat([errors, piece]).subarray(-4096)));
  const outputEnded = new Promise<void>((resolve) => {
    output.once('close', resolve);
    output.once('end', resolve);
  });
  // Both say that the connection is lost, which `ended` and the closing of the streams tell.
  for (const stream of [input, output, complaints]) stream.on('error', () => undefined);

  async function end(): Promise<number | null> {
    await outputEnded;
    if (gone.signal.aborted) return null;
    try {
      return await process._wait(AbortSignal.any([gone.signal, AbortSignal.timeout(lastWordsMs)]));
    } catch {
      return null;
    }
  }
  return {
    input,
    output,
    errors: () => errors.toString('utf8'),
    ended: end(),
    destroy: () => {
      if (gone.signal.aborted) return;
      gone.abort();
      // Nothing else ends the process there: it waits for its input until its time is over.
      input.end();
      output.destroy();
      complaints.destroy();
    },
  };
}

/** Standard input of a process; waits for nothing when it is destroyed. */
function inputOf(process: ContainerProcess<Uint8Array>): Writable {
  const writer = process.stdin.getWriter();
  const send = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; at += pieceBytes) await writer.write(bytes.subarray(at, at + pieceBytes));
  };
  const settled = (work: Promise<void>, done: (error?: Error | null) => void) => {
    work.then(
      () => {
        done();
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  };
  return new Writable({
    // While one message is under way, the next one gathers.
    highWaterMark: pieceBytes,
    write: (piece: Buffer, _encoding, done) => {
      settled(send(piece), done);
    },
    writev: (pieces, done) => {
      settled(send(Buffer.concat(pieces.map(({ chunk }) => chunk as Buffer))), done);
    },
    final: (done) => {
      settled(writer.close(), done);
    },
  });
}

export interface ScreenStart {
  readonly sandbox: Sandbox;
  /** For what the terminal itself cannot be told. */
  readonly shell: RemoteShell;
  readonly root: string;
  /** Becomes the shell: see interactive-script.ts. */
  readonly script: string;
  readonly screen: ScreenOptions;
}

/** A shell on a terminal of 24 by 80, the only size Modal makes; the right one is set from inside. */
export async function openScreen({ sandbox, shell, root, script, screen }: ScreenStart): Promise<InteractiveShell> {
  const note = shellQuote(`${root}/screens/${randomUUID()}`);
  const size = (columns: number, rows: number) => `stty rows ${rows} cols ${columns}`;
  const start = `(umask 077; mkdir -p ${shellQuote(`${root}/screens`)}; echo "$(tty) $$" >${note})
${size(screen.columns, screen.rows)} 2>/dev/null
export TERM=${shellQuote(screen.term)}
[ -n "$HOME" ] || export HOME=/root
${script}`;
  const process = await sandbox.exec(['sh', '-c', start], { mode: 'binary', pty: true, timeoutMs: lifeMs.person });
  const shown = shellProcess(process);
  const tell = (command: string) => {
    // The person sees whether it worked; there is nobody else to tell.
    shell.run(`read -r tty pid <${note} && { ${command}; }`).catch(() => undefined);
  };
  void shown.ended.then(() => {
    tell(`rm -f ${note}`);
  });
  return {
    input: shown.input,
    output: shown.output,
    ended: shown.ended,
    resize: (columns, rows) => {
      tell(`${size(columns, rows)} <"$tty"`);
    },
    close: () => {
      tell(`kill -HUP "$pid"; rm -f ${note}`);
      shown.destroy();
    },
  };
}
