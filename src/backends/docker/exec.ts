import { Transform, type Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { ShellProcess } from '../remote-shell.ts';
import type { DockerClient } from './client.ts';

const openLimitMs = 20_000;
const errorsKept = 4_096;
/** A stream may end a moment before the daemon has noted the exit code. */
const exitCodeLimitMs = 2_000;

/** Starts `sh -c command` in a container with its streams connected. */
export async function openProcess(client: DockerClient, container: string, command: string): Promise<ShellProcess> {
  const { exec, stream } = await openExec(client, container, { Cmd: ['/bin/sh', '-c', command] });
  let errors = Buffer.alloc(0);
  const output = splitter((bytes) => (errors = Buffer.from(Buffer.concat([errors, bytes]).subarray(-errorsKept))));
  const over = ending(stream, output);
  stream.pipe(output);
  return {
    input: stream,
    output,
    errors: () => errors.toString('utf8'),
    ended: over.then(() => exitCodeOf(client, exec)),
    destroy: () => stream.destroy(),
  };
}

/** Runs a short script to its end. Rejects with a PortError; a non-zero exit is a result. */
export async function runOnce(
  client: DockerClient,
  container: string,
  script: string,
): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
  const shell = await openProcess(client, container, script);
  shell.input.end();
  const limit = setTimeout(() => {
    shell.destroy();
  }, openLimitMs);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of shell.output) chunks.push(chunk as Buffer);
    return { exitCode: await shell.ended, stdout: Buffer.concat(chunks).toString('utf8'), stderr: shell.errors() };
  } finally {
    clearTimeout(limit);
  }
}

/** Starts a process with its streams connected. */
export async function openExec(
  client: DockerClient,
  container: string,
  what: { Cmd: string[]; Tty?: boolean; Env?: string[] },
): Promise<{ exec: Docker.Exec; stream: Duplex }> {
  const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true };
  const exec = await client.ask('container', (abortSignal) =>
    client.docker.getContainer(container).exec({ ...what, ...streams, abortSignal }),
  );
  // The request's own signal would end the stream later on, so the limit is kept here.
  let late = false;
  const opening = exec.start({ hijack: true, stdin: true, Tty: what.Tty ?? false }).then((stream) => {
    if (late) stream.destroy();
    return stream;
  });
  try {
    return { exec, stream: await client.ask('container', () => opening, { timeoutMs: openLimitMs }) };
  } catch (error) {
    late = true;
    throw error;
  }
}

/** Resolves when the connection is over, however it ended; the output ends with it. */
export function ending(stream: Duplex, output: Transform): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      if (!output.writableEnded) output.end();
      resolve();
    };
    stream.once('end', over);
    stream.once('close', over);
    // What matters is that it ended without an exit code; `close` follows.
    stream.on('error', () => stream.destroy());
  });
}

/** Null where the daemon does not know one. Never rejects. */
export async function exitCodeOf(client: DockerClient, exec: Docker.Exec): Promise<number | null> {
  const limit = Date.now() + exitCodeLimitMs;
  try {
    for (;;) {
      const { Running, ExitCode } = await client.ask('container', (abortSignal) => exec.inspect({ abortSignal }), {
        timeoutMs: exitCodeLimitMs,
      });
      if (!Running) return ExitCode;
      if (Date.now() >= limit) return null;
      await sleep(20);
    }
  } catch {
    // The daemon is gone or has forgotten: then there is no exit code, which is what null says.
    return null;
  }
}

const headerBytes = 8;
const standardError = 2;

/**
 * Takes the daemon's framing apart (`stream number, 0, 0, 0, length`): standard output goes on, standard error goes to
 * `onError`. The library's own splitter copies its whole buffer for each frame and knows no back-pressure.
 */
export function splitter(onError: (bytes: Buffer) => void): Transform {
  let header = Buffer.alloc(0);
  let kind = 0;
  let left = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      let rest = chunk;
      while (rest.length > 0) {
        if (left === 0) {
          const missing = headerBytes - header.length;
          header = Buffer.concat([header, rest.subarray(0, missing)]);
          rest = rest.subarray(missing);
          if (header.length < headerBytes) break;
          kind = header.readUInt8(0);
          left = header.readUInt32BE(4);
          header = Buffer.alloc(0);
          continue;
        }
        const bytes = rest.subarray(0, left);
        rest = rest.subarray(bytes.length);
        left -= bytes.length;
        if (kind === standardError) onError(bytes);
        else this.push(bytes);
      }
      done();
    },
  });
}
