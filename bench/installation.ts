import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InstantModel } from './instant-model.ts';

const command = fileURLToPath(new URL('../bin/hermes', import.meta.url));

/** A fresh installation under the real supervisor, as a person has it. */
export class BenchInstallation {
  readonly home = mkdtempSync(join(tmpdir(), 'hermes-bench-'));
  private env: NodeJS.ProcessEnv = {};
  private readonly model: InstantModel;

  constructor(model: InstantModel) {
    this.model = model;
  }

  /** @returns milliseconds until `hermes up` says ready. */
  async up(): Promise<number> {
    mkdirSync(join(this.home, 'work'), { recursive: true });
    const [api, temporal, ui] = await Promise.all([freePort(), freePort(), freePort()]);
    this.env = {
      PATH: process.env['PATH'],
      HOME: join(this.home, 'work'),
      HERMES_HOME: this.home,
      HERMES_MODEL_PROVIDER: 'custom',
      HERMES_MODEL_NAME: 'instant',
      HERMES_MODEL_BASE_URL: this.model.baseUrl,
      HERMES_API_PORT: String(api),
      HERMES_TEMPORAL_PORT: String(temporal),
      HERMES_TEMPORAL_UI_PORT: String(ui),
    };
    return this.restart();
  }

  /** @returns milliseconds of `hermes up` alone. */
  async restart(): Promise<number> {
    const started = performance.now();
    const { status, stderr } = await this.hermes('up');
    if (status !== 0) throw new Error(`hermes up failed: ${stderr}`);
    return performance.now() - started;
  }

  async down(): Promise<void> {
    await this.hermes('down');
  }

  /** Runs the command; the wall time is that of the whole process. */
  async hermes(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string; wallMs: number }> {
    const started = performance.now();
    const child = spawn(command, args, { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
    child.stderr.on('data', (part: Buffer) => (stderr += part.toString()));
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { status, stdout, stderr, wallMs: performance.now() - started };
  }

  /** One turn through the OpenAI-compatible API, streamed. Milliseconds from the request to first and last byte. */
  turn(conversation: string, text: string): Promise<{ firstByteAt: number; totalMs: number }> {
    const body = JSON.stringify({ model: 'hermes', stream: true, messages: [{ role: 'user', content: text }] });
    const url = new URL('/v1/chat/completions', this.apiUrl());
    return new Promise((resolve, reject) => {
      const started = performance.now();
      let firstByteAt = 0;
      const sent = request(
        url,
        {
          method: 'POST',
          headers: {
            authorization: `Bearer ${this.token()}`,
            'content-type': 'application/json',
            'x-hermes-conversation': conversation,
          },
        },
        (response) => {
          response.on('data', (part: Buffer) => {
            if (firstByteAt === 0 && part.toString().includes('"content":"')) firstByteAt = performance.now();
          });
          response.on('end', () => {
            if (response.statusCode === 200) resolve({ firstByteAt, totalMs: performance.now() - started });
            else reject(new Error(`status ${String(response.statusCode)}`));
          });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  temporalAddress(): string {
    return (this.runFile('temporal') as { address: string }).address;
  }

  /** Process ids of everything that belongs to this installation. */
  pids(): Record<string, number> {
    const names = ['supervisor', 'temporal', 'worker', 'gateway'];
    const found = names.map((name) => [name, (this.runFile(name) as { pid: number }).pid] as const);
    return Object.fromEntries(found);
  }

  async dispose(): Promise<void> {
    await this.down();
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }

  private apiUrl(): string {
    return (this.runFile('api') as { url: string }).url;
  }

  private token(): string {
    return readFileSync(join(this.home, 'api-token'), 'utf8').trim();
  }

  private runFile(name: string): unknown {
    const path = join(this.home, 'run', `${name}.json`);
    if (!existsSync(path)) throw new Error(`${name} does not run`);
    return JSON.parse(readFileSync(path, 'utf8'));
  }
}

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

export function machine(): string {
  const cpu = spawnSync('nproc').stdout.toString().trim();
  return `${cpu} cores, Node ${process.version}, ${process.platform}`;
}
