import { join } from 'node:path';
import type { RemoteShell, ShellTransport } from '../remote-shell.ts';
import { createResidentShell } from '../resident-shell.ts';
import { openRoute, type Route } from './connect.ts';
import { destinationsOf, type Destination, type DestinationOptions } from './destination.ts';
import { createHostKeys } from './host-keys.ts';
import { createLogins, type Credentials } from './login.ts';
import { createChannelPool, type ChannelPool } from './pool.ts';
import { createSshTransport } from './transport.ts';

export interface LinkOptions extends DestinationOptions, Credentials {
  /** Absolute path of our own known_hosts; made when the first key is trusted. `userSshFolder` is read too. */
  readonly knownHostsFile: string;
  /** A server that leaves three of these unanswered counts as frozen; 3 s where not given. */
  readonly keepaliveMs?: number;
  /** Connection and login, for each server on the way; 15 s where not given. */
  readonly connectTimeoutMs?: number;
  /** The connection is closed after this long without use; 30 s where not given. */
  readonly idleMs?: number;
}

/** The way to the machine, and what goes over it. */
export interface Link {
  readonly destination: Destination;
  readonly route: Route;
  readonly pool: ChannelPool;
  readonly transport: ShellTransport;
  /** A shell of its own over the common connections. */
  shell(): RemoteShell;
}

const defaults = { keepaliveMs: 3_000, connectTimeoutMs: 15_000, idleMs: 30_000 };
/** The layers below have limits of their own and say more about what was late; this one is beyond their sum. */
const openTimeoutMs = 120_000;

/** Connects to nothing yet. Throws Terminal.Invalid where the options name no server. */
export function createLink(options: LinkOptions): Link {
  const { keepaliveMs, connectTimeoutMs: timeoutMs, idleMs } = { ...defaults, ...options };
  const destinations = destinationsOf(options);
  const destination = destinations[destinations.length - 1] as Destination;
  const others = options.userSshFolder === undefined ? [] : [join(options.userSshFolder, 'known_hosts')];
  const route: Route = {
    destinations,
    loginFor: createLogins(options),
    hostKeys: createHostKeys(options.knownHostsFile, others),
    timeoutMs,
    keepaliveMs,
  };
  // The shell is let go of first, then the connection under it: together as long as was asked for.
  const connectionIdleMs = idleMs / 3;
  const pool = createChannelPool({
    destination,
    open: () => openRoute(route),
    idleMs: connectionIdleMs,
    timeoutMs: timeoutMs * 2,
  });
  const transport = createSshTransport({ destination, pool, timeoutMs: timeoutMs * 2 });
  return {
    destination,
    route,
    pool,
    transport,
    shell: () => createResidentShell({ transport, idleMs: idleMs - connectionIdleMs, openTimeoutMs }),
  };
}
