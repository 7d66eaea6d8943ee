import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { messageOf, type Report } from '../problem.ts';
import { BackOff, healthyAfterMs } from './back-off.ts';
import { needsPersonExitCode } from './exit-codes.ts';
import { openLog } from './log-files.ts';
import { endProcess, identityOf, isRunning, type ProcessIdentity } from './process-identity.ts';
import type { TroubleRecord } from './run-files.ts';

export type PartName = 'temporal' | 'service' | 'worker' | 'gateway';

/** How a part is started now. Asked anew before every start, because ports may have been taken meanwhile. */
export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** What tells this launch from others, for whoever finds the process later: build, address. */
  readonly facts: Readonly<Record<string, string>>;
}

/** A part as it runs, written down so that the next supervisor can take it over. */
export interface PartRecord extends ProcessIdentity {
  readonly program: string;
  readonly args: readonly string[];
  readonly facts: Readonly<Record<string, string>>;
  /** ISO time. */
  readonly startedAt: string;
}

export interface PartSpec {
  readonly name: PartName;
  readonly logFile: string;
  readonly launch: () => Promise<Launch>;
  /** Whether a process of a former supervisor can be kept. Only asked while that process runs. */
  readonly accepts: (record: PartRecord) => Promise<boolean>;
  /** Whether the process has announced itself. Asked a few times a second until it has; must be cheap. */
  readonly isReady: (record: PartRecord) => boolean;
  /** Called when a process runs, new or taken over. */
  readonly onUp: (record: PartRecord) => void;
  /** Called when it has ended, for clean-up of what it left. */
  readonly onDown: (record: PartRecord) => void;
  /** Time between SIGTERM and SIGKILL. */
  readonly graceMs: number;
}

/** Where the records of running parts are kept. */
export interface PartRecords {
  get(name: PartName): PartRecord | undefined;
  set(name: PartName, record: PartRecord | undefined): void;
  setTrouble(name: PartName, trouble: TroubleRecord | undefined): void;
}

const watchEveryMs = 200;

/**
 * Keeps one process up until it is stopped. A child is watched by its exit; a process taken over from a supervisor that
 * died is no child, so it is looked at five times a second.
 */
export class Part {
  readonly #spec: PartSpec;
  readonly #records: PartRecords;
  readonly #report: Report;
  readonly #backOff = new BackOff();
  #current: PartRecord | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #readyTimer: NodeJS.Timeout | undefined;
  #readySince: number | undefined;
  #starting: Promise<void> = Promise.resolve();

  constructor(spec: PartSpec, records: PartRecords, report: Report) {
    this.#spec = spec;
    this.#records = records;
    this.#report = report;
  }

  get current(): PartRecord | undefined {
    return this.#current;
  }

  /** Takes over the process of a former supervisor when it fits, else ends it and starts a new one. */
  async start(): Promise<void> {
    const former = this.#records.get(this.#spec.name);
    if (former !== undefined && isRunning(former)) {
      if (await this.#spec.accepts(former)) {
        this.#report(`${this.#spec.name} of a former supervisor goes on (pid ${former.pid})`);
        this.#watch(former);
        return;
      }
      this.#report(`ending ${this.#spec.name} of a former supervisor (pid ${former.pid})`);
      await endProcess(former, this.#spec.graceMs);
    }
    if (former !== undefined) this.#spec.onDown(former);
    this.#starting = this.#launch();
    await this.#starting;
  }

  /** Ends the process for good. Resolves when it is gone. */
  async stop(graceMs = this.#spec.graceMs): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#starting;
    const { current } = this;
    if (current === undefined) return;
    const began = Date.now();
    await endProcess(current, graceMs);
    this.#settle(current);
    this.#report(`${this.#spec.name} stopped after ${Date.now() - began} ms`);
  }

  /** Ends the process so that a new one takes its place at once. */
  async restart(reason: string, graceMs = this.#spec.graceMs): Promise<void> {
    const { current } = this;
    if (current === undefined) return;
    this.#report(`restarting ${this.#spec.name} (pid ${current.pid}): ${reason}`);
    await endProcess(current, graceMs);
  }

  async #launch(): Promise<void> {
    let launch: Launch;
    try {
      launch = await this.#spec.launch();
    } catch (error) {
      this.#retry(0, `${this.#spec.name} cannot be started: ${messageOf(error)}`);
      return;
    }
    const log = openLog(this.#spec.logFile);
    const child = spawn(launch.program, launch.args, {
      // A group of its own: Ctrl-C at the supervisor must not reach the parts before they were drained.
      detached: true,
      stdio: ['ignore', log, log],
      env: launch.env,
    });
    closeSync(log);
    const failed = new Promise<string>((resolve) => child.once('error', (error) => resolve(error.message)));
    const identity = child.pid === undefined ? undefined : identityOf(child.pid);
    if (identity === undefined) {
      const reason = child.pid === undefined ? await failed : 'it ended at once';
      this.#retry(0, `${this.#spec.name} could not be started: ${reason}`);
      return;
    }
    const { program, args, facts } = launch;
    const record: PartRecord = { ...identity, program, args, facts, startedAt: new Date().toISOString() };
    this.#records.set(this.#spec.name, record);
    this.#report(`${this.#spec.name} started (pid ${record.pid})`);
    child.once('exit', (code, signal) =>
      this.#ended(record, code === null ? `by ${signal ?? 'a signal'}` : `with ${code}`, code === needsPersonExitCode),
    );
    this.#up(record);
  }

  #watch(record: PartRecord): void {
    this.#up(record);
    const look = (): void => {
      if (isRunning(record)) this.#timer = setTimeout(look, watchEveryMs);
      else this.#ended(record, 'while it was watched');
    };
    this.#timer = setTimeout(look, watchEveryMs);
  }

  #up(record: PartRecord): void {
    this.#current = record;
    this.#spec.onUp(record);
    this.#readySince = undefined;
    const look = (): void => {
      if (this.#spec.isReady(record)) this.#readySince ??= Date.now();
      if (this.#readyMs() >= healthyAfterMs) this.#records.setTrouble(this.#spec.name, undefined);
      else this.#readyTimer = setTimeout(look, watchEveryMs);
    };
    look();
  }

  #readyMs(): number {
    return this.#readySince === undefined ? 0 : Date.now() - this.#readySince;
  }

  #ended(record: PartRecord, how: string, vain = false): void {
    if (!this.#settle(record) || this.#stopped) return;
    this.#retry(this.#readyMs(), `${this.#spec.name} (pid ${record.pid}) ended ${how}`, vain);
  }

  /** Forgets the process once; false when that was done before. */
  #settle(record: PartRecord): boolean {
    if (this.#current !== record) return false;
    this.#current = undefined;
    clearTimeout(this.#readyTimer);
    this.#records.set(this.#spec.name, undefined);
    this.#spec.onDown(record);
    return true;
  }

  #retry(readyMs: number, reason: string, vain = false): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    const pauseMs = vain ? this.#backOff.nextWhenVain() : this.#backOff.next(readyMs);
    const { deaths } = this.#backOff;
    this.#records.setTrouble(this.#spec.name, { deaths, reason, logFile: this.#spec.logFile });
    const again = deaths > 3 ? ` (${deaths} times in a row, see ${this.#spec.logFile})` : '';
    this.#report(`${reason}${again}; starting it again in ${pauseMs} ms`);
    this.#timer = setTimeout(() => {
      this.#starting = this.#launch();
    }, pauseMs);
  }
}
