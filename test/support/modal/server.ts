import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { controlHandlers } from './control.ts';
import { routerHandlers } from './router.ts';
import { status, World, type WorldSandbox } from './world.ts';

/** A failure that a handler answers with. */
export class Refusal extends Error {
  readonly code: grpc.status;
  constructor(code: grpc.status, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Faults {
  /** Calls of these names are never answered. */
  readonly hanging: Set<string>;
  /** Calls of these names are refused with that message, as RESOURCE_EXHAUSTED. */
  readonly refused: Map<string, string>;
  /** Awaited after these calls have had their effect and before they are answered. */
  readonly held: Map<string, () => Promise<void>>;
}

/** What handlers work on. */
export interface Site {
  readonly world: World;
  readonly faults: Faults;
  readonly token: { readonly id: string; readonly secret: string; valid: boolean };
  routerUrl(): string;
  /** A pass for calls, in the form of a JWT. */
  pass(): string;
  knowsPass(pass: string): boolean;
}

export interface ModalServer {
  readonly url: string;
  readonly tokenId: string;
  readonly tokenSecret: string;
  readonly world: World;
  readonly faults: Faults;
  /** Names of the calls so far. */
  readonly calls: string[];
  /** From now on the token, and every pass made from it, is refused. */
  expireToken(): void;
  renewToken(): void;
  /** Breaks every connection and takes no new ones until the result is called. Sandboxes go on. */
  goAway(): Promise<() => Promise<void>>;
  /** The machine under it fails: nothing is kept. */
  vanish(sandboxId: string): Promise<void>;
  /** Its time is over. */
  expire(sandboxId: string): Promise<void>;
  running(): WorldSandbox[];
  /** Open connections to the server, of any process. */
  connections(): number;
  close(): Promise<void>;
}

type Services = Record<string, Record<string, Record<string, grpc.ServiceClientConstructor>>>;

function service(file: string, path: readonly [string, string, string]): grpc.ServiceDefinition {
  const loaded = loadSync(fileURLToPath(new URL(file, import.meta.url)), {
    longs: Number,
    defaults: true,
    oneofs: true,
  });
  const found = (grpc.loadPackageDefinition(loaded) as unknown as Services)[path[0]]?.[path[1]]?.[path[2]];
  if (!found) throw new Error(`${file} has no ${path.join('.')}`);
  return found.service;
}

const control = service('api.proto', ['modal', 'client', 'ModalClient']);
const router = service('task_command_router.proto', ['modal', 'task_command_router', 'TaskCommandRouter']);

/**
 * Modal's protocol on loopback, for one workspace: its sandboxes are folder trees in which real commands run, its
 * snapshots are copies of them. Needs root (see withModalServer).
 */
export async function startModalServer(): Promise<ModalServer> {
  const world = new World();
  const passes = new Set<string>();
  const calls: string[] = [];
  const token = { id: 'ak-test', secret: 'as-test', valid: true };
  const faults: Faults = { hanging: new Set(), refused: new Map(), held: new Map() };
  // Two, as there: what is shared by both in one process of the client must not matter.
  const [port, routerPort] = [await freePort(), await freePort()];
  const site: Site = {
    world,
    faults,
    token,
    routerUrl: () => `https://127.0.0.1:${routerPort}`,
    pass: () => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const pass = `${part({ alg: 'none' })}.${part({ exp: Date.now() / 1000 + 3600, n: passes.size })}.x`;
      passes.add(pass);
      return pass;
    },
    knowsPass: (pass) => token.valid && passes.has(pass),
  };
  const handlers = { control: watched(controlHandlers(site)), router: watched(routerHandlers(site)) };

  /** Notes every call, and applies the faults to it. */
  function watched(plain: Record<string, grpc.UntypedHandleCall>): Record<string, grpc.UntypedHandleCall> {
    const entries = Object.entries(plain).map(([name, handle]) => {
      const watch = (call: unknown, answer?: grpc.sendUnaryData<unknown>) => {
        calls.push(name);
        if (faults.hanging.has(name)) return;
        const refused = faults.refused.get(name);
        if (refused !== undefined && answer) {
          answer({ code: grpc.status.RESOURCE_EXHAUSTED, details: refused });
          return;
        }
        (handle as (call: unknown, answer?: unknown) => void)(call, answer);
      };
      return [name, watch as grpc.UntypedHandleCall] as const;
    });
    return Object.fromEntries(entries);
  }

  const listen = () =>
    Promise.all([serve(port, control, handlers.control), serve(routerPort, router, handlers.router)] as const);
  const shutDown = (servers: readonly grpc.Server[]) => {
    for (const server of servers) server.forceShutdown();
  };
  let servers = await listen();
  const one = (id: string) => {
    const sandbox = world.sandboxes.get(id);
    if (!sandbox) throw new Error(`no sandbox ${id}`);
    return sandbox;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    tokenId: token.id,
    tokenSecret: token.secret,
    world,
    faults,
    calls,
    expireToken: () => (token.valid = false),
    renewToken: () => (token.valid = true),
    goAway: () => {
      shutDown(servers);
      return Promise.resolve(async () => {
        servers = await listen();
      });
    },
    vanish: (id) => world.end(one(id), status.failure, { keep: false }),
    expire: (id) => world.end(one(id), status.timeout),
    running: () => [...world.sandboxes.values()].filter(({ result }) => result === null),
    connections: () => establishedConnections(port) + establishedConnections(routerPort),
    close: async () => {
      shutDown(servers);
      await world.close();
    },
  };
}

async function serve(
  port: number,
  definition: grpc.ServiceDefinition,
  handlers: Record<string, grpc.UntypedHandleCall>,
): Promise<grpc.Server> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 100 * 1024 * 1024 });
  server.addService(definition, handlers);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
  return server;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return address.port;
}

function establishedConnections(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  return lines.filter((line) => {
    const [, at = '', , state] = line.trim().split(/\s+/);
    return at.endsWith(local) && state === '01';
  }).length;
}
