import { userInfo } from 'node:os';
import { PortError } from '../../lib/port-error.ts';

/** One server on the way: a jump host or the place where commands run. */
export interface Destination {
  readonly user: string;
  readonly host: string;
  readonly port: number;
}

export interface DestinationOptions {
  /** Name or address, without a user or port. */
  readonly host: string;
  /** 22 where not given. */
  readonly port?: number;
  /** The person's own name on this machine where not given. */
  readonly user?: string;
  /** `user@host:port[,next…]`, in the order they are passed through; user and port may be left out. */
  readonly jump?: string;
}

/** Jump hosts in their order, then the place itself. Throws Terminal.Invalid, naming the setting. */
export function destinationsOf(options: DestinationOptions): readonly [...Destination[], Destination] {
  if (options.host === '') {
    throw new PortError('Terminal.Invalid', 'No server is set: hermes config set terminal.ssh.host HOST');
  }
  const user = options.user ?? userInfo().username;
  const jumps = (options.jump ?? '').split(',').map((part) => part.trim());
  return [
    ...jumps.filter((part) => part !== '').map((part) => parseDestination(part, user)),
    { user, host: options.host.toLowerCase(), port: options.port ?? 22 },
  ];
}

const form = /^(?:([^@\s]+)@)?(?:\[([^\]\s]+)\]|([^:@[\]\s]+))(?::(\d{1,5}))?$/;

function parseDestination(text: string, defaultUser: string): Destination {
  const [, user = defaultUser, address, name, port = '22'] = form.exec(text) ?? [];
  const host = address ?? name;
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw new PortError('Terminal.Invalid', `terminal.ssh.jump holds “${text}”, which is not user@host:port.`);
  }
  return { user, host: host.toLowerCase(), port: Number(port) };
}

/** For people: `user@host`, with the port where it is not the usual one. */
export function destinationName({ user, host, port }: Destination): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return `${user}@${name}${port === 22 ? '' : `:${port}`}`;
}
