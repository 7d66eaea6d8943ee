import { PortError } from '../../lib/port-error.ts';
import { codeOf } from '../file-errors.ts';

/** What a request was about, for the answers that mean different things for different ones. */
export type DockerSubject = 'container' | 'image' | 'engine';

/** HTTP status of the daemon's answer; undefined where there was none. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** The daemon's own words, without the client's wrapping. */
export function reasonOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'json' in error) {
    const { json } = error;
    if (typeof json === 'object' && json !== null && 'message' in json && typeof json.message === 'string') {
      return json.message.trim();
    }
  }
  return error instanceof Error ? error.message.replace(/^\(HTTP code \d+\) [^-]*- /, '').trim() : String(error);
}

/** The port's error for whatever a request to the daemon failed with. `place` is the daemon's address, for people. */
export function dockerError(error: unknown, place: string, subject: DockerSubject): PortError {
  if (PortError.is(error)) return error;
  const status = statusOf(error);
  return status === undefined ? connectionError(error, place) : answerError(error, status, subject);
}

function connectionError(error: unknown, place: string): PortError {
  const code = codeOf(error) ?? (error instanceof Error ? error.name : 'unknown');
  const failure = (type: 'Terminal.BackendUnavailable' | 'Terminal.Denied', message: string) =>
    new PortError(type, message, { details: { place, code }, cause: error });
  const start = 'Start Docker, or set terminal.docker.host.';
  switch (code) {
    case 'ENOENT':
      return failure(
        'Terminal.BackendUnavailable',
        `Docker is not running here: there is no socket ${place}. ${start}`,
      );
    case 'ECONNREFUSED':
      return failure('Terminal.BackendUnavailable', `Docker does not answer at ${place}. ${start}`);
    case 'EACCES':
    case 'EPERM':
      return failure(
        'Terminal.Denied',
        `No permission to use Docker at ${place}. Add this user to the group docker and log in again.`,
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return failure('Terminal.BackendUnavailable', `The host of ${place} is unknown. Check terminal.docker.host.`);
    case 'AbortError':
    case 'TimeoutError':
    case 'ABORT_ERR':
    case 'ETIMEDOUT':
      return failure('Terminal.BackendUnavailable', `Docker at ${place} did not answer in time.`);
    default:
      return failure(
        'Terminal.BackendUnavailable',
        `The connection to Docker at ${place} failed: ${reasonOf(error) || code}.`,
      );
  }
}

function answerError(error: unknown, status: number, subject: DockerSubject): PortError {
  const reason = reasonOf(error).slice(0, 400);
  const options = { details: { status }, cause: error };
  if (/no space left on device|disk quota exceeded/i.test(reason)) {
    return new PortError('Terminal.Full', `Docker's disk is full: ${reason}`, options);
  }
  if (status === 401 || status === 403) {
    return new PortError('Terminal.Authentication', `Docker refuses: ${reason}`, options);
  }
  if (status === 404 && subject === 'image') {
    return new PortError('Terminal.NotFound', `Docker knows no such image: ${reason}`, options);
  }
  if (status === 404 && subject === 'container') {
    return new PortError('Terminal.SessionLost', 'The environment does not exist (any more).', options);
  }
  // 500 where it ends at this very moment.
  const stopped = /not running|is paused|stopped (state|container)|cannot exec in a stopped/i.test(reason);
  if ((status === 409 || status === 500) && subject === 'container' && stopped) {
    return new PortError('Terminal.Asleep', 'The environment is asleep.', options);
  }
  if (status === 400)
    return new PortError('Terminal.Invalid', `Docker does not accept the settings: ${reason}`, options);
  return new PortError('Terminal.BackendUnavailable', `Docker failed: ${reason}`, options);
}
