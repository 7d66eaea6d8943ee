import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Answer, SubmitRequest, SubmitResponse } from '../../src/contracts/api.ts';
import { stringify } from 'yaml';
import { startModelServer, type ModelServer } from './model-server.ts';
import { startTestTemporal, type TestTemporal } from './temporal-server.ts';

const serviceEntry = fileURLToPath(new URL('../../dist/workers/main.js', import.meta.url));

export type Part = 'all' | 'worker' | 'gateway';

export interface InstallationOptions {
  /** Variables on top of the defaults, e.g. `HERMES_AGENT_MAX_STEPS_PER_TURN`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly temporal?: Parameters<typeof startTestTemporal>[0];
  /** What stands in config.yaml and secrets.yaml. */
  readonly config?: object;
  readonly secrets?: object;
}

/**
 * A whole installation of its own: home folder, Temporal server, scripted model, and the service's processes, which tests
 * start and kill one by one. It is what a person has, without the supervisor, whose part the test plays.
 */
export class Installation {
  readonly home: string;
  readonly model: ModelServer;
  readonly temporal: TestTemporal;
  readonly apiUrl: string;
  readonly workspace: string;
  private readonly env: Readonly<Record<string, string>>;
  private readonly processes = new Map<Part, ChildProcess>();

  private constructor(
    home: string,
    servers: { model: ModelServer; temporal: TestTemporal },
    env: Readonly<Record<string, string>>,
  ) {
    this.home = home;
    this.model = servers.model;
    this.temporal = servers.temporal;
    this.env = env;
    this.workspace = env['HERMES_TERMINAL_CWD'] ?? '';
    this.apiUrl = `http://127.0.0.1:${env['HERMES_API_PORT'] ?? ''}`;
  }

  static async create(options: InstallationOptions = {}): Promise<Installation> {
    if (!existsSync(serviceEntry)) throw new Error('the service is not built; run `npm run build`');
    const home = mkdtempSync(join(tmpdir(), 'hermes-home-'));
    // Beside the home folder, which commands may not touch.
    const workspace = mkdtempSync(join(tmpdir(), 'hermes-work-'));
    mkdirSync(join(home, 'run'));
    const [model, temporal, port] = await Promise.all([
      startModelServer(),
      startTestTemporal(options.temporal),
      freePort(),
    ]);
    writeFileSync(
      join(home, 'run', 'temporal.json'),
      JSON.stringify({ address: temporal.address, uiUrl: temporal.uiUrl, pid: temporal.pid }),
    );
    writeFileSync(join(home, 'config.yaml'), stringify(options.config ?? {}));
    writeFileSync(join(home, 'secrets.yaml'), stringify(options.secrets ?? {}), { mode: 0o600 });
    return new Installation(
      home,
      { model, temporal },
      {
        PATH: process.env['PATH'] ?? '',
        HOME: workspace,
        HERMES_HOME: home,
        HERMES_MODEL_PROVIDER: 'custom',
        HERMES_MODEL_NAME: 'scripted',
        HERMES_MODEL_BASE_URL: model.baseUrl,
        HERMES_MODEL_API_KEY: 'test-key-of-the-model-server',
        HERMES_API_PORT: String(port),
        HERMES_TERMINAL_CWD: workspace,
        ...options.env,
      },
    );
  }

  /** Starts a part and waits until it says that it is ready. */
  async start(part: Part): Promise<void> {
    this.spawnPart(part);
    await this.ready(part);
  }

  /** Starts a part and returns at once, as a supervisor does. */
  spawnPart(part: Part): void {
    for (const file of readyFiles[part]) rmSync(join(this.home, 'run', file), { force: true });
    const child = spawn(process.execPath, [serviceEntry, '--role', part], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.processes.set(part, child);
    child.stdout.on('data', (chunk: Buffer) => {
      this.log += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.log += chunk.toString();
    });
  }

  /** Everything the parts have logged. */
  log = '';

  async ready(part: Part): Promise<void> {
    const child = this.processes.get(part);
    await until(`${part} is ready`, () => {
      if (child !== undefined && child.exitCode !== null) throw new Error(`${part} exited:\n${this.log}`);
      return readyFiles[part].every((file) => existsSync(join(this.home, 'run', file)));
    });
  }

  pid(part: Part): number {
    const pid = this.processes.get(part)?.pid;
    if (pid === undefined) throw new Error(`${part} does not run`);
    return pid;
  }

  /** SIGKILL, and waits until the process is gone. */
  async kill(part: Part): Promise<void> {
    const child = this.processes.get(part);
    if (child === undefined) return;
    this.processes.delete(part);
    await ended(child, 'SIGKILL');
  }

  /** SIGTERM, and waits for a clean end. @returns the exit code. */
  async terminate(part: Part): Promise<number | null> {
    const child = this.processes.get(part);
    if (child === undefined) return null;
    this.processes.delete(part);
    await ended(child, 'SIGTERM');
    return child.exitCode;
  }

  /** POST /api/messages, repeated until it is accepted, as the command does. */
  async submit(request: SubmitRequest): Promise<SubmitResponse> {
    return this.persist('POST', '/api/messages', request) as Promise<SubmitResponse>;
  }

  /** The answer to a message, however often the service dies meanwhile. */
  async answer(inboundId: string, timeoutMs = 60_000): Promise<Answer> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const path = `/api/messages/${encodeURIComponent(inboundId)}/answer?waitMs=5000`;
      const answer = (await this.persist('GET', path, undefined, end)) as Answer;
      if (answer.state !== 'pending') return answer;
      if (Date.now() > end) throw new Error(`no answer to ${inboundId}\n${this.log}`);
    }
  }

  async ask(text: string, more: Partial<SubmitRequest> = {}): Promise<Answer> {
    const inboundId = more.inboundId ?? newInboundId();
    await this.submit({ text, ...more, inboundId });
    return this.answer(inboundId);
  }

  /** One request; rejects when it is not answered, returns whatever the answer is. */
  async request(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const token = readFileSync(join(this.home, 'api-token'), 'utf8').trim();
    const response = await fetch(`${this.apiUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) };
  }

  /** Ends every process and removes the home folder. Idempotent. */
  async dispose(): Promise<void> {
    await Promise.all([...this.processes.keys()].map((part) => this.kill(part)));
    await Promise.all([this.model.stop(), this.temporal.stop()]);
    for (const folder of [this.home, this.workspace]) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async persist(method: string, path: string, body?: unknown, end = Date.now() + 60_000): Promise<unknown> {
    for (;;) {
      try {
        const response = await this.request(method, path, body);
        if (response.status < 300) return response.body;
        if (response.status < 500) throw new Refused(`${method} ${path}: ${JSON.stringify(response.body)}`);
      } catch (error) {
        if (error instanceof Refused || Date.now() > end) throw error;
      }
      await sleep(50);
    }
  }
}

class Refused extends Error {}

const readyFiles: Record<Part, readonly string[]> = {
  all: ['api.json', 'worker.json'],
  worker: ['worker.json'],
  gateway: ['api.json'],
};

let counter = 0;
export function newInboundId(): string {
  counter += 1;
  return `test-${String(process.pid)}-${String(Date.now())}-${String(counter)}`;
}

/** Waits for a condition, looking often. */
export async function until(what: string, check: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await sleep(5);
  }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  await exit;
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'));
        else resolve(address.port);
      });
    });
  });
}
