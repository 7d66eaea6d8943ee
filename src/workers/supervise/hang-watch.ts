import type { Report } from '../problem.ts';
import { isServing } from '../temporal/grpc-health.ts';
import { answersHealth } from './api-health.ts';
import type { Part } from './part.ts';
import { readJson } from './run-files.ts';

const silentForMs = 60_000;

/** Whether a part answers; null while it cannot be said (it has not announced itself yet). */
export type Probe = () => Promise<boolean | null>;

/**
 * Restarts a process that runs but has not answered for a minute: long, because a busy machine is slow and a restart
 * costs more than a wait. Call `look` every few seconds.
 */
export class HangWatch {
  readonly #part: Part;
  readonly #probe: Probe;
  readonly #limitMs: number;
  #silentSince: number | undefined;
  #pid: number | undefined;

  constructor(part: Part, probe: Probe, limitMs = silentForMs) {
    this.#part = part;
    this.#probe = probe;
    this.#limitMs = limitMs;
  }

  async look(): Promise<void> {
    const pid = this.#part.current?.pid;
    if (pid !== this.#pid) this.#silentSince = undefined;
    this.#pid = pid;
    if (pid === undefined) return;
    if ((await this.#probe()) !== false) {
      this.#silentSince = undefined;
      return;
    }
    this.#silentSince ??= Date.now();
    if (Date.now() - this.#silentSince < this.#limitMs || this.#part.current?.pid !== pid) return;
    this.#silentSince = undefined;
    await this.#part.restart(`it has not answered for ${Math.round(this.#limitMs / 1_000)} s`, 2_000);
  }
}

/** Asks the server whose address `run/temporal.json` names. */
export function probeTemporal(runFile: string): Probe {
  return async () => {
    const address = readJson<{ address: string }>(runFile)?.address;
    return address === undefined ? null : isServing(address, 5_000);
  };
}

/** Asks `/health` of the API whose address `run/api.json` names. */
export function probeApi(runFile: string): Probe {
  return () => {
    const url = readJson<{ url: string }>(runFile)?.url;
    return url === undefined ? Promise.resolve(null) : answersHealth(url, 5_000);
  };
}

/** Looks at all parts in turn until stopped; a failed look is reported and the next one follows. */
export function watchForHangs(watches: readonly HangWatch[], everyMs: number, report: Report): () => void {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    Promise.all(watches.map((watch) => watch.look()))
      .catch((error: unknown) => report(`a part could not be checked: ${String(error)}`))
      .finally(() => (busy = false));
  }, everyMs);
  return () => clearInterval(timer);
}
