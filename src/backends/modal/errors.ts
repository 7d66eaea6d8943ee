import { AlreadyExistsError, ClientClosedError, ConflictError, InvalidError, NotFoundError, TimeoutError } from 'modal';
import { ClientError, Status } from 'nice-grpc';
import { PortError, type PortErrorOptions } from '../../lib/port-error.ts';

/** What a call was about, for the answers that mean different things for different ones. */
export type ModalSubject = 'sandbox' | 'image' | 'snapshot' | 'server';

/** The server's own words, without the client's wrapping. */
export function reasonOf(error: unknown): string {
  const text = error instanceof ClientError ? error.details : error instanceof Error ? error.message : String(error);
  return text.trim().slice(0, 400);
}

function statusOf(error: unknown): Status | undefined {
  return error instanceof ClientError ? error.code : undefined;
}

/** The thing asked for does not exist (any more). */
export function isMissing(error: unknown): boolean {
  if (error instanceof NotFoundError) return true;
  const status = statusOf(error);
  if (status === Status.NOT_FOUND) return true;
  return status === Status.FAILED_PRECONDITION && /could not find/i.test(reasonOf(error));
}

/** The sandbox has ended; asked of one that the caller knows to have existed. */
export function isEnded(error: unknown): boolean {
  return error instanceof ConflictError || isMissing(error) || statusOf(error) === Status.FAILED_PRECONDITION;
}

export function isTaken(error: unknown): boolean {
  return error instanceof AlreadyExistsError || statusOf(error) === Status.ALREADY_EXISTS;
}

/** Nothing is known about what was asked: the server was not reached, or did not want to answer us. */
export function isNoAnswer(error: unknown): boolean {
  if (PortError.is(error)) return true;
  const status = statusOf(error);
  const silent: (Status | undefined)[] = [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.UNAUTHENTICATED];
  return silent.includes(status) || status === Status.PERMISSION_DENIED;
}

/** The port's error for whatever the SDK threw. `place` is the server's address, for people. */
export function modalError(error: unknown, place: string, subject: ModalSubject): PortError {
  if (PortError.is(error)) return error;
  const reason = reasonOf(error);
  const status = statusOf(error);
  const options: PortErrorOptions = {
    details: { place, ...(status === undefined ? {} : { status }) },
    cause: error,
  };
  if (status === Status.UNAUTHENTICATED || status === Status.PERMISSION_DENIED) {
    const fix = 'Make a new one with `modal token new` and set terminal.modal.tokenId and terminal.modal.tokenSecret.';
    return new PortError('Terminal.Authentication', `Modal refuses the token: ${reason}. ${fix}`, options);
  }
  if (status === Status.RESOURCE_EXHAUSTED) {
    return /disk|storage|space|quota/i.test(reason)
      ? new PortError('Terminal.Full', `Modal has no room: ${reason}`, options)
      : new PortError('Terminal.BackendUnavailable', `Modal is at a limit: ${reason}`, options);
  }
  if (isMissing(error)) {
    if (subject === 'sandbox') {
      return new PortError('Terminal.SessionLost', 'The environment does not exist (any more).', options);
    }
    const what =
      subject === 'image' ? 'Modal knows no such image; check terminal.modal.image' : 'Modal knows no such thing';
    return new PortError('Terminal.NotFound', `${what}: ${reason}`, options);
  }
  if (/^Image build for \S+ failed/.test(reason)) {
    return new PortError('Terminal.NotFound', `${reason} Check terminal.modal.image.`, options);
  }
  if (error instanceof InvalidError || status === Status.INVALID_ARGUMENT) {
    return new PortError(
      'Terminal.Invalid',
      `Modal does not accept the settings in terminal.modal: ${reason}`,
      options,
    );
  }
  if (status === Status.UNAVAILABLE || status === Status.DEADLINE_EXCEEDED || error instanceof TimeoutError) {
    const fix = 'Check the network and terminal.modal.serverUrl.';
    return new PortError(
      'Terminal.BackendUnavailable',
      `Modal cannot be reached at ${place}: ${reason}. ${fix}`,
      options,
    );
  }
  if (error instanceof ClientClosedError) {
    return new PortError('Terminal.BackendUnavailable', 'The connection to Modal was closed.', options);
  }
  return new PortError('Terminal.BackendUnavailable', `Modal failed: ${reason}`, options);
}
