import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { ensureTemporalBinary, type TemporalBinary } from '../../src/workers/temporal/binary.ts';
import { prepareNamespace } from '../../src/workers/temporal/namespace.ts';
import { projectCache } from '../../src/workers/temporal/resolve.ts';
import { startTemporalServer, type RunningServer } from '../../src/workers/temporal/server.ts';

/** As the configuration's default. */
export const testRetentionDays = 120;

export interface TestTemporal {
  readonly address: string;
  readonly uiUrl: string | null;
  readonly namespace: string;
  /** Process id of the server that runs now; another one after `restart`. */
  readonly pid: number;
  readonly dbFile: string;
  /** SIGKILL, as a crash does it. The database file stays. */
  kill(): Promise<void>;
  /** Starts the server again on the same address and file; for use after `kill`. */
  restart(): Promise<void>;
  /** Stops the server and removes its folder. Idempotent. */
  stop(): Promise<void>;
}

export interface TestTemporalOptions {
  /** A web UI on a free port; off by default. */
  readonly ui?: boolean;
  /** More dynamic settings, for instance `limit.historyCount.suggestContinueAsNew=50`. */
  readonly dynamicConfig?: readonly string[];
}

/**
 * A real embedded server of its own, with the command line of production, on a free port and in a folder of its own.
 * The binary is found or fetched as `npm start` does; when none can be had this throws, so that a suite fails instead
 * of passing without having run. The server dies with the test process, even when that is killed.
 */
export async function startTestTemporal(options: TestTemporalOptions = {}): Promise<TestTemporal> {
  const binary = await testTemporalBinary();
  const folder = await mkdtemp(join(tmpdir(), 'hermes-temporal-'));
  const dbFile = join(folder, 'temporal.db');
  let watchdog: Watchdog | undefined;
  const start = async (port?: number): Promise<RunningServer> => {
    const started = await startTemporalServer({
      binary,
      dbFile,
      logFile: join(folder, 'temporal.log'),
      uiPort: options.ui === true ? 0 : false,
      ...(port === undefined ? {} : { port }),
      ...(options.dynamicConfig === undefined ? {} : { dynamicConfig: options.dynamicConfig }),
    });
    watchdog = watchProcess(started.pid);
    return started;
  };
  let server = await start();
  const { address, uiUrl, namespace } = server;
  const connection = await Connection.connect({ address });
  await prepareNamespace(connection, namespace, testRetentionDays);
  await connection.close();
  let stopped: Promise<void> | undefined;
  const kill = async (): Promise<void> => {
    const gone = new Promise<void>((resolve) => server.child.once('exit', () => resolve()));
    if (!server.child.kill('SIGKILL')) return;
    await gone;
    watchdog?.release();
  };
  const stopNow = async (): Promise<void> => {
    // Nothing of this server is wanted any more, so the second a graceful stop takes is saved.
    await kill();
    await rm(folder, { recursive: true, force: true });
  };
  return {
    address,
    uiUrl,
    namespace,
    dbFile,
    get pid() {
      return server.pid;
    },
    kill,
    async restart() {
      server = await start(Number(address.split(':')[1]));
      if (server.address !== address) throw new Error(`the port of ${address} was taken meanwhile`);
    },
    stop: () => (stopped ??= stopNow()),
  };
}

/** The binary all tests use: on the PATH, in the project's cache, or fetched into it. Throws when there is none. */
export function testTemporalBinary(): Promise<TemporalBinary> {
  return ensureTemporalBinary({
    cacheDirs: [projectCache()],
    env: process.env,
    report: (line) => void process.stderr.write(`${line}\n`),
  });
}

export interface Watchdog {
  /** Ends the watch without touching the process. */
  release(): void;
}

/**
 * Kills a process when this one is gone, however it went: the shell reads a pipe that only closes with us. Anything
 * it reads before is the word to do nothing.
 */
export function watchProcess(pid: number): Watchdog {
  const shell = spawn('sh', ['-c', `read word || kill -9 ${pid} 2>/dev/null`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  shell.unref();
  (shell.stdin as unknown as { unref?: () => void }).unref?.();
  return { release: () => shell.stdin.end('done\n') };
}
