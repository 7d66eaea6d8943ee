const firstPauseMs = 100;
const longestPauseMs = 30_000;
/** A part that lived this long did its work, and its death is the first again. */
export const healthyAfterMs = 5_000;

/**
 * How long to wait before a dead part is started again: at once for the first deaths (three within the first second),
 * then twice as long each time, up to half a minute, until it has lived for five seconds.
 */
export class BackOff {
  #deaths = 0;

  /** The pause after a life of `livedMs`. */
  next(livedMs: number): number {
    this.#deaths = livedMs >= healthyAfterMs ? 1 : this.#deaths + 1;
    return Math.min(firstPauseMs * 2 ** (this.#deaths - 1), longestPauseMs);
  }

  /** Deaths in a row without a healthy life between them. */
  get deaths(): number {
    return this.#deaths;
  }
}
