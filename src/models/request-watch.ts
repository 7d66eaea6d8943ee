import { PortError } from '../lib/port-error.ts';

/** Ends one request when its caller, its time limit or its silence says so. */
export interface RequestWatch {
  /** Given to the transport; aborting it closes the socket. */
  readonly signal: AbortSignal;
  /** A byte came. */
  touch(): void;
  /** Throws the caller's reason or a PortError if the request was ended from here. */
  throwIfEnded(): void;
  /** Closes the connection of a request that has failed by itself. */
  hangUp(): void;
  /** Reads off what is left after the answer, so that the connection can be used again; gives up after a second. */
  release(reader: ReadableStreamDefaultReader<Uint8Array>): void;
  /** Stops the clocks. Must be called. */
  close(): void;
}

const releaseTimeoutMs = 1000;

export function watchRequest(
  caller: AbortSignal,
  limits: { readonly requestTimeoutMs: number; readonly stallTimeoutMs: number; readonly provider: string },
): RequestWatch {
  const { provider, requestTimeoutMs, stallTimeoutMs } = limits;
  const controller = new AbortController();
  let failure: PortError | undefined;

  const fail = (error: PortError): void => {
    if (caller.aborted) return;
    failure ??= error;
    controller.abort();
  };
  const onAbort = (): void => controller.abort();
  if (caller.aborted) onAbort();
  caller.addEventListener('abort', onAbort, { once: true });

  const details = { provider };
  const stall = setTimeout(() => {
    const message = `${provider} sent nothing for ${String(Math.round(stallTimeoutMs / 1000))} s.`;
    fail(new PortError('Model.Stalled', message, { details: { ...details, stallTimeoutMs } }));
  }, stallTimeoutMs);
  const limit = setTimeout(() => {
    const message = `${provider} did not finish within ${String(Math.round(requestTimeoutMs / 1000))} s.`;
    fail(new PortError('Model.Timeout', message, { details: { ...details, requestTimeoutMs } }));
  }, requestTimeoutMs);

  return {
    signal: controller.signal,
    touch: () => void stall.refresh(),
    throwIfEnded() {
      if (failure) throw failure;
      caller.throwIfAborted();
    },
    hangUp: () => controller.abort(),
    release(reader) {
      const timer = setTimeout(() => controller.abort(), releaseTimeoutMs);
      timer.unref();
      void readToEnd(reader).finally(() => clearTimeout(timer));
    },
    close() {
      clearTimeout(stall);
      clearTimeout(limit);
      caller.removeEventListener('abort', onAbort);
    },
  };
}

async function readToEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    while (!(await reader.read()).done);
  } catch {
    // The answer is complete already; a connection that breaks now is only not used again.
  }
}
