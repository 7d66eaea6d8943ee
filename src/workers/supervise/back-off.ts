const firstPauseMs = 100;
const longestPauseMs = 30_000;
const vainDeaths = 10;
/** A part that was ready for this long did its work, and its death is the first again. */
export const healthyAfterMs = 5_000;

/**
 * How long to wait before a dead part is started again: at once for the first deaths (three within the first second),
 * then twice as long each time, up to half a minute, until it has been ready for five seconds.
 */
export class BackOff {
  #deaths = 0;

  /** The pause after a process that was ready for `readyMs`; 0 when it never was, however long it took to fail. */
  next(readyMs: number): number {
    this.#deaths = readyMs >= healthyAfterMs ? 1 : this.#deaths + 1;
    return Math.min(firstPauseMs * 2 ** (this.#deaths - 1), longestPauseMs);
  }

  /** The pause after a process that said a person must mend something; counts as many deaths, since a retry is vain. */
  nextWhenVain(): number {
    this.#deaths += vainDeaths;
    return longestPauseMs;
  }

  /** Deaths in a row without a healthy life between them. */
  get deaths(): number {
    return this.#deaths;
  }
}
