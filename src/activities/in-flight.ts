interface Running<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
}

/**
 * Work of this process by key. When the server gives an attempt up although its process lives (an event loop that was
 * blocked for seconds, a machine that was asleep), the next attempt joins the running work instead of doing it beside it.
 */
export class InFlight<T> {
  private readonly running = new Map<string, Running<T>>();

  /**
   * Starts `work`, or waits for the work of this key that runs already.
   * @param signal This attempt's; whichever attempt is told to stop stops the work, with its reason.
   */
  async join(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const entry = this.running.get(key) ?? this.begin(key, work);
    const stop = (): void => entry.controller.abort(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    try {
      return await entry.promise;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  private begin(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const controller = new AbortController();
    const promise = work(controller.signal).finally(() => this.running.delete(key));
    const entry = { promise, controller };
    this.running.set(key, entry);
    return entry;
  }
}
