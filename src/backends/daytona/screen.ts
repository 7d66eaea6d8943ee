import { randomUUID } from 'node:crypto';
import { PassThrough, Writable } from 'node:stream';
import type { Sandbox } from '@daytona/sdk';
import { PortError } from '../../lib/port-error.ts';
import type { InteractiveShell, ScreenOptions } from '../backend.ts';
import type { RemoteShell } from '../remote-shell.ts';
import { shellQuote } from '../run-layout.ts';
import type { DaytonaClient } from './client.ts';
import { withinLimit } from './wait.ts';

const resizeLimitMs = 3_000;

export interface ScreenPlace {
  readonly client: DaytonaClient;
  readonly sandbox: Sandbox;
  readonly shell: RemoteShell;
  /** Folder of the run protocol there. */
  readonly root: string;
}

/**
 * A terminal over the SDK's own WebSocket that runs `script` for sh. The daemon starts a login shell, which is told to
 * become ours; what it has printed until then is left out.
 */
export async function openScreen(place: ScreenPlace, script: string, screen: ScreenOptions): Promise<InteractiveShell> {
  const { client, sandbox, shell, root } = place;
  const id = `hermes-${randomUUID()}`;
  const path = `${root}/${id}.sh`;
  const begun = `hermes:${randomUUID()}\n`;
  const whole = `rm -f "$0"\nprintf '%s\\n' ${shellQuote(begun.trim())}\n${script}`;
  const written = await shell.run(
    `umask 077; mkdir -p ${shellQuote(root)} && printf %s ${shellQuote(whole)} >${shellQuote(path)}`,
  );
  if (written.exitCode !== 0) {
    throw new PortError('Terminal.Denied', `The shell could not be prepared in ${root}: ${written.stderr.trim()}`);
  }
  const output = new PassThrough();
  const show = after(begun, (bytes) => output.write(bytes));
  const pty = await client.ask('control', () =>
    sandbox.process.createPty({
      id,
      cols: screen.columns,
      rows: screen.rows,
      envs: { TERM: screen.term },
      onData: show,
    }),
  );
  await client.ask('control', () => pty.sendInput(` exec sh ${shellQuote(path)}\n`));
  let closed = false;
  const ended = pty.wait().then(
    ({ exitCode }) => (closed ? null : (exitCode ?? null)),
    () => null,
  );
  void ended.then(() => output.end());
  // Sizes go by requests and input by the socket: what is typed after a change is meant for the new size.
  let resized: Promise<unknown> = Promise.resolve();
  const input = new Writable({
    write(chunk: Buffer, _encoding, done) {
      resized
        .then(() => pty.sendInput(chunk))
        .then(() => {
          done();
        }, done);
    },
  });
  // Writing after the end is no news: `ended` says it.
  input.on('error', () => undefined);
  return {
    input,
    output,
    ended,
    resize: (columns, rows) => {
      // One that fails or takes long leaves the old size, which is no reason to end the shell.
      const change = () => withinLimit(pty.resize(columns, rows), resizeLimitMs, () => new Error('late'));
      resized = resized.then(change).catch(() => undefined);
    },
    close: () => {
      closed = true;
      // The session would outlive its connection; where it cannot be told, it ends with the sandbox.
      pty
        .kill()
        .catch(() => undefined)
        .finally(() => pty.disconnect());
    },
  };
}

/** Passes on what follows the first line that is `mark`. */
function after(mark: string, pass: (bytes: Buffer) => void): (bytes: Uint8Array) => void {
  let waiting: Buffer | undefined = Buffer.alloc(0);
  const needle = Buffer.from(mark.trim());
  return (bytes) => {
    if (waiting === undefined) {
      pass(Buffer.from(bytes));
      return;
    }
    waiting = Buffer.concat([waiting, bytes]);
    const at = waiting.indexOf(needle);
    const line = at < 0 ? -1 : waiting.indexOf(10, at);
    if (line < 0) return;
    const rest = waiting.subarray(line + 1);
    waiting = undefined;
    if (rest.length > 0) pass(rest);
  };
}
