import type { HermesClient } from './client/client.ts';

/** Exit code of a command that Ctrl-C ended: 128 + SIGINT. */
export const interruptedExitCode = 130;

/** Thrown into whatever waits when the person presses Ctrl-C. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

/**
 * Turns the first Ctrl-C into an abort of `signal` and the second into an exit at once.
 *
 * @returns the signal and a function that gives Ctrl-C back to the process.
 */
export function onCtrlC(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const handler = (): void => {
    if (controller.signal.aborted) process.exit(interruptedExitCode);
    controller.abort(new Interrupted());
  };
  process.on('SIGINT', handler);
  return { signal: controller.signal, release: () => void process.off('SIGINT', handler) };
}

/**
 * Stops the running turn of a conversation, without waiting long for a service that is away.
 *
 * @returns false when the service could not be told in time: the turn goes on.
 */
export async function stopTurn(client: HermesClient, conversationId: string, withinMs = 3_000): Promise<boolean> {
  try {
    await client.interrupt(conversationId, { signal: AbortSignal.timeout(withinMs) });
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError') return false;
    throw error;
  }
}
