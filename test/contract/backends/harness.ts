import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Backend, EnvironmentHandle, RunSpec, RunState, TerminalSession } from '../../../src/backends/backend.ts';

const clientScript = fileURLToPath(new URL('client.ts', import.meta.url));
const programs = fileURLToPath(new URL('../../fixtures/programs/', import.meta.url));

export interface Finished {
  readonly state: RunState;
  readonly output: Buffer;
  readonly text: string;
}

/** One environment with a scratch folder, and short words for what every test does. */
export interface Bench {
  readonly backend: Backend;
  readonly handle: EnvironmentHandle;
  readonly session: TerminalSession;
  /** A folder in the environment. */
  readonly scratch: string;
  /** A key no other test uses. */
  key(): string;
  /** Runs to the end. Session `main` unless another is given. */
  run(command: string, extra?: Partial<RunSpec>): Promise<Finished>;
  start(command: string, extra?: Partial<RunSpec>): Promise<string>;
  finish(key: string): Promise<Finished>;
  /** Resolves once the output holds the text. */
  saw(key: string, text: string): Promise<void>;
  /** Puts a fixture program there; resolves with a command that runs it. */
  program(name: string): Promise<string>;
  /** Which of the processes in a file of ids are alive. */
  living(pidFile: string): Promise<string[]>;
}

let keys = 0;

/** Which of these ids, as the processes themselves know them, are alive: for places that see no ids of other runs. */
export type LivingOutside = (environmentId: string, pids: readonly string[]) => readonly string[];

export async function openBench(backend: Backend, environmentId: string, outside?: LivingOutside): Promise<Bench> {
  const handle = await backend.create(environmentId);
  const session = await backend.connect(handle);
  const key = () => `conformance/${environmentId}/${keys++}`;
  const start = async (command: string, extra: Partial<RunSpec> = {}) => {
    const spec = { key: key(), sessionKey: 'main', command, ...extra };
    await session.start(spec);
    return spec.key;
  };
  const finish = (of: string) => readToEnd(session, of);
  const run = async (command: string, extra?: Partial<RunSpec>) => finish(await start(command, extra));
  const scratch = (await run('mktemp -d', { sessionKey: 'bench' })).text.trim();
  return {
    backend,
    handle,
    session,
    scratch,
    key,
    run,
    start,
    finish,
    async saw(of, text) {
      let output = '';
      while (!output.includes(text)) {
        const { state, bytes } = await session.poll(of, { offset: output.length, maxBytes: 4096, waitMs: 5_000 });
        output += bytes.toString('latin1');
        if (state.phase !== 'running' && bytes.length === 0)
          throw new Error(`${of} ended without saying ${text}: ${output}`);
      }
    },
    async program(name) {
      const path = `${scratch}/${name}`;
      await session.writeFile(path, await readFile(`${programs}${name}`), { sessionKey: 'bench' });
      return `sh ${path}`;
    },
    async living(pidFile) {
      const words = (text: string) => text.split('\n').filter((line) => line !== '');
      if (outside) {
        const pids = words((await run(`cat ${pidFile}`, { sessionKey: 'bench' })).text);
        return [...outside(environmentId, pids)];
      }
      // A process that has ended and was not waited for yet has an empty command line. Busybox's ps cannot be asked for
      // one process.
      const command = `for p in $(cat ${pidFile}); do
  if [ -r /proc/self/cmdline ]; then args=$(tr -d '\\0' 2>/dev/null <"/proc/$p/cmdline")
  else args=$(ps -o args= -p "$p" | grep -v defunct); fi
  [ -z "$args" ] || echo "$p"
done 2>/dev/null`;
      return words((await run(command, { sessionKey: 'bench' })).text);
    },
  };
}

export async function readToEnd(session: TerminalSession, key: string): Promise<Finished> {
  const chunks: Buffer[] = [];
  let offset = 0;
  for (;;) {
    const { state, bytes } = await session.poll(key, { offset, maxBytes: 1_000_000, waitMs: 10_000 });
    chunks.push(bytes);
    offset += bytes.length;
    if (state.phase !== 'running' && offset >= state.outputBytes) {
      const output = Buffer.concat(chunks);
      return { state, output, text: output.toString('utf8') };
    }
  }
}

export interface ClientOptions {
  /** Absolute path of a module with `openBackend(config)`. */
  readonly modulePath: string;
  readonly config: string;
}

/** A client process that has opened the backend and waits to be told to start `spec`. */
export async function spawnClient(client: ClientOptions, environmentId: string, spec: RunSpec): Promise<Client> {
  const args = ['--import', 'tsx', clientScript, client.modulePath, client.config, environmentId];
  const child = spawn(process.execPath, [...args, JSON.stringify(spec)], { stdio: ['pipe', 'pipe', 'inherit'] });
  await said(child, 'ready');
  return {
    go: () => child.stdin.write('go\n'),
    started: () => said(child, 'started'),
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

export interface Client {
  go(): void;
  started(): Promise<void>;
  kill(): Promise<void>;
}

function said(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (data: Buffer) => {
      if (data.toString().includes(word)) resolve();
    });
    child.once('exit', (code) => {
      reject(new Error(`The client process ended with ${String(code)} before it said ${word}.`));
    });
  });
}
