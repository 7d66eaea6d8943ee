/** Runs jobs of one key one after the other and of different keys side by side. */
export class Lanes {
  private readonly tails = new Map<string, Promise<unknown>>();

  /** Queues the job behind earlier ones of its key. The result settles as the job does; a failing job stops no later one. */
  run<T>(key: string, job: () => Promise<T>): Promise<T> {
    const before = this.tails.get(key);
    // Without a queue the job starts in this very tick: a message must not wait for the event loop.
    const result = before === undefined ? job() : before.then(job, job);
    const tail: Promise<unknown> = result
      .catch(() => undefined)
      .then(() => {
        if (this.tails.get(key) === tail) this.tails.delete(key);
      });
    this.tails.set(key, tail);
    return result;
  }

  /** Resolves when everything queued so far has ended. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.tails.values());
  }
}
