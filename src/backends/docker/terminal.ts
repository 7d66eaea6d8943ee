import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { InteractiveShell, ScreenOptions } from '../backend.ts';
import type { DockerClient } from './client.ts';
import { ending, exitCodeOf, openExec, openProcess } from './exec.ts';

/** `script` run by sh on a terminal; it and what was started from it end with the connection. */
export async function openTerminal(
  client: DockerClient,
  container: string,
  script: string,
  screen: ScreenOptions,
): Promise<InteractiveShell> {
  const mark = `HERMES_SHELL=${randomUUID()}`;
  const { exec, stream } = await openExec(client, container, {
    Cmd: ['/bin/sh', '-c', script],
    Tty: true,
    Env: [`TERM=${screen.term}`, mark],
  });
  const resize = (columns: number, rows: number) =>
    client.ask('container', (abortSignal) => exec.resize({ w: columns, h: rows, abortSignal }));
  let closed = false;
  const output = new PassThrough();
  const over = ending(stream, output);
  stream.pipe(output);
  try {
    // A terminal starts without a size, and can have one once its process is there.
    await resize(screen.columns, screen.rows);
    const guard = await openProcess(client, container, hangUp(mark));
    guard.output.resume();
    void over.then(() => guard.destroy());
  } catch (error) {
    stream.destroy();
    throw error;
  }
  return {
    input: stream,
    output,
    // Nobody waits for a change of size, and one that comes too late for the shell does no harm.
    resize: (columns, rows) => void resize(columns, rows).catch(() => undefined),
    ended: over.then(() => (closed ? null : exitCodeOf(client, exec))),
    close() {
      closed = true;
      stream.destroy();
    },
  };
}

/**
 * The daemon leaves a process on a terminal alone when its connection ends, so a second one waits for the same end and
 * hangs up: also when this service was killed. What ignores that lives on, as on any terminal, but not the shell.
 */
function hangUp(mark: string): string {
  return `marked() { grep -lzF '${mark}' "$@" 2>/dev/null; }
leader=
for f in $(marked /proc/[0-9]*/environ); do
  p=\${f#/proc/} p=\${p%/environ}
  read -r l <"/proc/$p/stat" || continue
  set -- \${l##*) }
  [ "$4" != "$p" ] || leader=$p
done
cat >/dev/null
for f in $(marked /proc/[0-9]*/environ); do p=\${f#/proc/}; kill -HUP "\${p%/environ}"; done 2>/dev/null
sleep 1
[ -z "$(marked "/proc/$leader/environ")" ] || kill -KILL "$leader"`;
}
