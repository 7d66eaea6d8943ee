import type { Duplex } from 'node:stream';
import { PortError } from '../../lib/port-error.ts';
import type { Destination } from './destination.ts';
import type { HostKeys } from './host-keys.ts';
import { dial, dialThrough, openHop, type Hop } from './hop.ts';
import { fingerprintOf } from './known-hosts.ts';
import type { Login } from './login.ts';

export interface Route {
  /** Jump hosts in their order, then the place itself. */
  readonly destinations: readonly [...Destination[], Destination];
  readonly loginFor: (destination: Destination, isLast: boolean) => Promise<Login>;
  readonly hostKeys: HostKeys;
  /** For each server on the way. */
  readonly timeoutMs: number;
  readonly keepaliveMs: number;
}

/** A connection to the end of a route; ending it ends the hops before it. Rejects with a PortError of `openHop`. */
export async function openRoute(route: Route): Promise<Hop> {
  const hops: Hop[] = [];
  try {
    for (const index of route.destinations.keys()) hops.push(await openNext(route, hops, index));
  } catch (error) {
    for (const hop of hops) hop.destroy();
    throw error;
  }
  const last = hops.at(-1);
  if (!last) throw new PortError('Internal.Invariant', 'A route has no end.');
  const destroy = () => {
    for (const hop of hops.toReversed()) hop.destroy();
  };
  void last.closed.then(destroy);
  return { ...last, destroy };
}

/**
 * Asks a server of the route for its key again and writes it down if it is the one that was accepted.
 * Terminal.Denied where it shows another one now, Terminal.Invalid where the server is not on the route. Idempotent.
 */
export async function trustServer(
  route: Route,
  accepted: { readonly host: string; readonly port: number; readonly fingerprint: string },
): Promise<void> {
  const index = route.destinations.findIndex(({ host, port }) => host === accepted.host && port === accepted.port);
  if (index < 0) {
    const message = `${accepted.host}:${accepted.port} is neither terminal.ssh.host nor one of terminal.ssh.jump.`;
    throw new PortError('Terminal.Invalid', message);
  }
  const hops: Hop[] = [];
  try {
    for (let before = 0; before < index; before++) hops.push(await openNext(route, hops, before));
    // The key is written down, or refused, as soon as it is seen; whether the login works is another question.
    const asked = { seen: false };
    const verify = async (key: Buffer) => {
      if (fingerprintOf(key) !== accepted.fingerprint) throw otherKey(accepted, fingerprintOf(key));
      await route.hostKeys.trust(accepted, key);
      asked.seen = true;
    };
    try {
      hops.push(await openNext(route, hops, index, verify));
    } catch (error) {
      if (!asked.seen) throw error;
    }
  } finally {
    for (const hop of hops.toReversed()) hop.destroy();
  }
}

async function openNext(
  route: Route,
  before: readonly Hop[],
  index: number,
  verify?: (key: Buffer) => Promise<void>,
): Promise<Hop> {
  const destination = route.destinations[index];
  if (!destination) throw new PortError('Internal.Invariant', 'A route is shorter than itself.');
  const login = await route.loginFor(destination, index === route.destinations.length - 1);
  const keyTypes = await route.hostKeys.typesOf(destination);
  return openHop({
    destination,
    socket: await reach(route, before.at(-1), index, destination),
    login,
    keyTypes,
    verify: verify ?? ((key) => route.hostKeys.verify(destination, key)),
    timeoutMs: route.timeoutMs,
    keepaliveMs: route.keepaliveMs,
  });
}

async function reach(route: Route, hop: Hop | undefined, index: number, destination: Destination): Promise<Duplex> {
  const jump = route.destinations[index - 1];
  if (!hop || !jump) return dial(destination, route.timeoutMs);
  return dialThrough(hop, { jump, destination, timeoutMs: route.timeoutMs });
}

function otherKey(accepted: { host: string; port: number; fingerprint: string }, now: string): PortError {
  const message = `${accepted.host}, port ${accepted.port}, showed ${accepted.fingerprint} when it was asked about and shows ${now} now. Nothing was written down; somebody may be between here and the server.`;
  return new PortError('Terminal.Denied', message, {
    details: { host: accepted.host, port: accepted.port, presented: now },
  });
}
