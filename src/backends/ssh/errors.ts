import { PortError } from '../../lib/port-error.ts';
import { codeOf } from '../file-errors.ts';
import { destinationName, type Destination } from './destination.ts';
import type { Login } from './login.ts';

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (is sshd running, is terminal.ssh.port right?)',
  ENOTFOUND: 'there is no such name (see terminal.ssh.host)',
  EAI_AGAIN: 'the name could not be looked up (is there a network?)',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to its network',
  ETIMEDOUT: 'no answer (is the machine up, does a firewall let terminal.ssh.port through?)',
  ECONNRESET: 'it cut the connection',
  EPIPE: 'it cut the connection',
};

/** No TCP connection. */
export function socketError(error: unknown, destination: Destination): PortError {
  const code = codeOf(error) ?? 'unknown';
  return unavailable(destination, reasons[code] ?? code, error);
}

/** The attempt to log in failed, in whatever way ssh2 says so. */
export function connectError(
  error: Error & { level?: string },
  { destination, login, timeoutMs }: { destination: Destination; login: Login; timeoutMs: number },
): PortError {
  if (error.level === 'client-authentication') return login.refused();
  if (error.level === 'client-timeout') {
    const seconds = Math.round(timeoutMs / 100) / 10;
    return unavailable(destination, `it took the connection and did not finish the login within ${seconds} s`, error);
  }
  if (error.level === 'client-socket') return socketError(error, destination);
  // What a server says before it hangs up: too many keys of an agent were offered, an account is barred.
  if (/authentication|not allowed/i.test(error.message)) return login.refused(error.message);
  if (/no matching|unsupported/i.test(error.message)) {
    const message = `${destinationName(destination)} and this program have no cryptography in common: ${error.message}. Its SSH server is too old or too restricted.`;
    return new PortError('Terminal.Denied', message, { details: detailsOf(destination), cause: error });
  }
  return unavailable(destination, error.message, error);
}

export function lostError(destination: Destination): PortError {
  return unavailable(destination, 'the connection ended');
}

/** A jump host did not connect to the next one. */
export function forwardError(error: Error & { reason?: unknown }, jump: Destination, next: Destination): PortError {
  const [from, to] = [destinationName(jump), destinationName(next)];
  if (error.reason === 1) {
    const message = `The jump host ${from} forwards no connections (AllowTcpForwarding in its sshd_config): it cannot lead to ${to}.`;
    return new PortError('Terminal.Denied', message, { details: detailsOf(jump), cause: error });
  }
  const message = `The jump host ${from} cannot reach ${to}: ${error.message}.`;
  return new PortError('Terminal.BackendUnavailable', message, { details: detailsOf(next), cause: error });
}

export function unavailable(destination: Destination, why: string, cause?: unknown): PortError {
  return new PortError('Terminal.BackendUnavailable', `Cannot use ${destinationName(destination)}: ${why}.`, {
    details: detailsOf(destination),
    cause,
  });
}

export function denied(destination: Destination, why: string): PortError {
  return new PortError('Terminal.Denied', `${destinationName(destination)} ${why}`, {
    details: detailsOf(destination),
  });
}

function detailsOf({ host, port }: Destination): { host: string; port: number } {
  return { host, port };
}
