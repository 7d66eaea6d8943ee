import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createFaults, type Faults } from './faults.ts';
import { readJson, sendJson } from './http.ts';
import { missingForMachines, prepareMachines } from './machine.ts';
import { ApiError, createSandboxes, type SandboxRecord, type Sandboxes } from './sandboxes.ts';

/**
 * A Daytona of one's own on loopback: its API and its toolbox proxy as far as the SDK is used, over sandboxes that keep
 * real files and run real processes.
 */
export interface DaytonaServer {
  readonly apiUrl: string;
  readonly sandboxes: Sandboxes;
  readonly faults: Faults;
  /** Keys that are accepted. */
  readonly keys: Set<string>;
  /** Every request so far, as `METHOD /path`. */
  readonly requests: string[];
  /** Connections that are open now. */
  connections(): number;
  /** Nobody listens and every connection is dropped, until `back`; sandboxes go on. */
  away(): Promise<void>;
  back(): Promise<void>;
  close(): Promise<void>;
}

/** Why it cannot run here; null where it can. Fails where CI is set, which must have what it needs. */
export function missingForDaytona(): string | null {
  const missing = missingForMachines();
  if (missing !== null && process.env['CI'] !== undefined)
    throw new Error(`CI must be able to run Daytona: ${missing}`);
  if (missing !== null) console.warn(`The tests of the daytona backend are left out: ${missing}`);
  return missing;
}

export async function startDaytonaServer(): Promise<DaytonaServer> {
  await prepareMachines();
  const folder = await mkdtemp(join(tmpdir(), 'hermes-daytona-'));
  const sandboxes = createSandboxes(folder);
  const faults = createFaults();
  const keys = new Set(['test-key']);
  const requests: string[] = [];
  const open = new Set<Socket>();
  let port = 0;

  const server = createServer((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    if (faults.meet(request, response)) return;
    handle(request, response).catch((error: unknown) => {
      request.resume();
      const status = error instanceof ApiError ? error.status : 500;
      sendJson(response, status, {
        statusCode: status,
        message: (error as Error).message,
        source: 'DAYTONA_API',
      });
    });
  });
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    requests.push(`UPGRADE ${request.url ?? ''}`);
    try {
      const url = requireKey(request);
      toolboxOf(url).sandbox.toolbox.upgrade(request, socket, head, url);
    } catch {
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    }
  });

  function requireKey(request: IncomingMessage): URL {
    const key = (request.headers.authorization ?? '').replace('Bearer ', '');
    if (!keys.has(key)) throw new ApiError(401, 'Invalid or expired API key');
    return new URL(request.url ?? '/', `http://127.0.0.1:${port}`);
  }

  function toolboxOf(url: URL): { sandbox: SandboxRecord; path: string } {
    const [, id = '', path = '/'] = /^\/toolbox\/([^/]+)(\/.*)$/.exec(url.pathname) ?? [];
    const sandbox = sandboxes.find(id);
    // The proxy finds no machine to pass it on to.
    if (!sandbox.machine.running) throw new ApiError(400, 'bad request: no IP address found. Is the Sandbox started?');
    return { sandbox, path };
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = requireKey(request);
    if (url.pathname.startsWith('/toolbox/')) {
      const { sandbox, path } = toolboxOf(url);
      await sandbox.toolbox.serve(request, response, path);
      return;
    }
    sendJson(response, 200, await answer(request, url));
  }

  async function answer(request: IncomingMessage, url: URL): Promise<unknown> {
    const [, room = '', id = '', verb] = url.pathname.replace(/^\/api/, '').split('/');
    const route = `${request.method ?? ''} ${room}`;
    if (route === 'GET snapshots') {
      if (!sandboxes.snapshots.has(id)) throw new ApiError(404, `Snapshot ${id} not found`);
      return { id, name: id, state: 'active' };
    }
    if (room !== 'sandbox') throw new ApiError(404, `no such endpoint: ${url.pathname}`);
    if (id === '') return request.method === 'POST' ? dto(sandboxes.create(await readJson(request))) : list(url);
    const sandbox = sandboxes.find(decodeURIComponent(id));
    if (verb === 'start' || verb === 'stop' || verb === 'archive' || verb === 'recover')
      sandboxes.change(sandbox, verb);
    else if (verb !== undefined) throw new ApiError(404, `no such endpoint: ${url.pathname}`);
    else if (request.method === 'DELETE') sandboxes.destroy(sandbox);
    return dto(sandbox);
  }

  function list(url: URL): unknown {
    const wanted = Object.entries(JSON.parse(url.searchParams.get('labels') ?? '{}') as Record<string, string>);
    const matching = sandboxes.all().filter(({ labels }) => wanted.every(([name, value]) => labels[name] === value));
    // Small pages, so that a client that reads only the first is found out.
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const to = from + 2;
    return { items: matching.slice(from, to).map(dto), ...(to < matching.length ? { nextCursor: String(to) } : {}) };
  }

  function dto(sandbox: SandboxRecord): unknown {
    const { id, name, labels, createdAt, state, desiredState, errorReason, recoverable, asked } = sandbox;
    return {
      ...{ id, name, labels, createdAt, state, desiredState, errorReason, recoverable },
      ...{ organizationId: 'org', target: 'test', user: 'root', env: {}, public: false, gpu: 0 },
      cpu: asked['cpu'] ?? 1,
      memory: asked['memory'] ?? 1,
      disk: asked['disk'] ?? 3,
      autoStopInterval: asked['autoStopInterval'],
      autoArchiveInterval: asked['autoArchiveInterval'],
      autoDeleteInterval: asked['autoDeleteInterval'],
      toolboxProxyUrl: `http://127.0.0.1:${port}/toolbox`,
    };
  }

  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        port = (server.address() as AddressInfo).port;
        resolve();
      });
    });
  const away = async () => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of open) socket.destroy();
    await closed;
  };
  await listen();

  return {
    apiUrl: `http://127.0.0.1:${port}/api`,
    sandboxes,
    faults,
    keys,
    requests,
    connections: () => open.size,
    away,
    back: listen,
    close: async () => {
      await away();
      await sandboxes.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
