import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartProblem } from '../problem.ts';
import { claimDatabase } from './database-stamp.ts';
import { isServing } from './grpc-health.ts';
import { choosePort } from './ports.ts';
import { serverArguments, serverEnvironment } from './server-command.ts';

export interface StartServerOptions {
  readonly binary: { readonly path: string; readonly cli: string; readonly server: string };
  readonly dbFile: string;
  readonly logFile: string;
  /** Wanted ports; taken when free, else another. Absent: any free one. */
  readonly port?: number;
  /** `false`: no UI. */
  readonly uiPort?: number | false;
  readonly namespace?: string;
  readonly dynamicConfig?: readonly string[];
  /** Default 30,000. */
  readonly startLimitMs?: number;
}

/** A server that answers its health check. */
export interface RunningServer {
  readonly address: string;
  readonly uiUrl: string | null;
  readonly namespace: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** Stops it gracefully within 10 s, else kills it. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts an embedded server and waits until it answers. Ports that get taken in between are chosen anew. Throws
 * StartProblem with the end of the server's log when it cannot start.
 */
export async function startTemporalServer(options: StartServerOptions): Promise<RunningServer> {
  await mkdir(dirname(options.dbFile), { recursive: true });
  await mkdir(dirname(options.logFile), { recursive: true });
  claimDatabase(options.dbFile, options.binary);
  const deadline = Date.now() + (options.startLimitMs ?? 30_000);
  for (;;) {
    const port = await choosePort(options.port);
    const uiPort = options.uiPort === false ? undefined : await choosePort(options.uiPort);
    const server = launch(options, port, uiPort);
    const outcome = await waitUntilServing(server.child, server.address, deadline);
    if (outcome === 'serving') return server;
    await server.stop();
    const log = tailOf(options.logFile);
    if (outcome === 'exited' && /address already in use|port .* is not available/i.test(log) && Date.now() < deadline) {
      continue;
    }
    throw new StartProblem(
      `the Temporal server ${outcome === 'exited' ? 'ended at once' : 'did not answer in time'}: ${log}`,
      `Its log is ${options.logFile}.`,
    );
  }
}

function launch(options: StartServerOptions, port: number, uiPort: number | undefined): RunningServer {
  const namespace = options.namespace ?? 'default';
  const log = openSync(options.logFile, 'a', 0o600);
  const child = spawn(
    options.binary.path,
    serverArguments({
      dbFile: options.dbFile,
      port,
      uiPort,
      namespace,
      ...(options.dynamicConfig === undefined ? {} : { dynamicConfig: options.dynamicConfig }),
    }),
    { stdio: ['ignore', log, log], env: serverEnvironment(process.env), detached: true },
  );
  closeSync(log);
  // Reported through the exit below; without a listener a failed spawn would end this process.
  child.on('error', () => undefined);
  return {
    address: `127.0.0.1:${port}`,
    uiUrl: uiPort === undefined ? null : `http://127.0.0.1:${uiPort}`,
    namespace,
    pid: child.pid ?? 0,
    child,
    stop: () => stopChild(child, 10_000),
  };
}

async function waitUntilServing(
  child: ChildProcess,
  address: string,
  deadline: number,
): Promise<'serving' | 'exited' | 'late'> {
  while (Date.now() < deadline) {
    if (hasEnded(child)) return 'exited';
    if (await isServing(address, 1_000)) return 'serving';
    await sleep(20);
  }
  return 'late';
}

/** SIGTERM, then SIGKILL after `graceMs`. Resolves when the process is gone. Idempotent. */
export async function stopChild(child: ChildProcess, graceMs: number): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(kill);
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function tailOf(path: string): string {
  return readFileSync(path, 'utf8').trim().split('\n').slice(-5).join('\n');
}
