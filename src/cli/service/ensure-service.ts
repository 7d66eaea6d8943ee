import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { homePaths } from '../../config/home.ts';
import { answersHealth } from '../../workers/supervise/api-health.ts';
import { supervisorEntry, type Entry } from '../../workers/supervise/entry.ts';
import { homeTakenExitCode } from '../../workers/supervise/exit-codes.ts';
import { openLog } from '../../workers/supervise/log-files.ts';
import { CliError } from '../errors.ts';
import type { TroubleRecord } from '../../workers/supervise/run-files.ts';
import { formatLogLine } from './format-log-line.ts';
import { startInstalledUnit } from './install-unit.ts';
import { lastLines, LogTail } from './log-tail.ts';
import { readServiceState } from './service-state.ts';
import { stopService } from './stop-service.ts';

export interface EnsureServiceOptions {
  readonly home: string;
  /** Lines for the person; only what takes longer than a moment is told. */
  readonly report: (line: string) => void;
  /** Differs only in tests. */
  readonly supervisor?: Entry;
}

const pollMs = 25;
const quietMs = 2_000;
/** A part that died this often in a row needs a person. */
const hopelessDeaths = 3;
const stopLimitMs = 60_000;
/** A supervisor that says nothing new for so long is stuck; a first start that downloads goes on reporting. */
const silenceLimitMs = 120_000;
/** A build of Temporal from source, the last of all ways, says nothing for minutes. */
const buildLimitMs = 1_900_000;

/**
 * Starts the service of a home in the background, unless it runs, and returns when its API answers. Idempotent, and safe
 * to call from several commands at once: one supervisor wins. Rejects with CliError saying what the parts said.
 */
export async function ensureService(options: EnsureServiceOptions): Promise<void> {
  if (await isAnswering(options.home)) return;
  await new Start(options).untilAnswering();
}

/** Whether the API of a home answers. */
export async function isAnswering(home: string): Promise<boolean> {
  const { apiUrl } = readServiceState(home);
  return apiUrl !== null && (await answersHealth(apiUrl, 2_000));
}

function hopelessPart(home: string): TroubleRecord | undefined {
  return Object.values(readServiceState(home).troubles).find(({ deaths }) => deaths >= hopelessDeaths);
}

/** Of the words of a crash, the line that names the error. */
function crashWords(lines: readonly string[]): readonly string[] {
  const named = lines.findLast((line) => /^\w*Error\b/.test(line));
  return named === undefined ? lines.slice(-3) : [named];
}

class Start {
  readonly #options: EnsureServiceOptions;
  readonly #log: LogTail;
  readonly #logFile: string;
  readonly #heard: string[] = [];
  readonly #began = Date.now();
  #lastNews = Date.now();
  #told = 0;
  #child: ChildProcess | undefined;

  constructor(options: EnsureServiceOptions) {
    this.#options = options;
    this.#logFile = homePaths(options.home).logs.supervisor;
    this.#log = new LogTail(this.#logFile);
  }

  async untilAnswering(): Promise<void> {
    const { home, report } = this.#options;
    if (hopelessPart(home) !== undefined) {
      // Whoever starts it anew has probably put something right, which the supervisor read before.
      report('the service keeps dying; starting everything anew');
      await stopService({ home, report, limitMs: stopLimitMs });
    }
    this.#launchIfNone();
    while (!(await isAnswering(home))) {
      this.#listen();
      this.#checkSupervisor();
      this.#checkTroubles();
      this.#checkSilence();
      await sleep(pollMs);
    }
  }

  #launchIfNone(): void {
    const { home } = this.#options;
    if (readServiceState(home).supervisor !== null || startInstalledUnit(home)) return;
    const { script, nodeArgs } = this.#options.supervisor ?? supervisorEntry();
    if (!existsSync(script)) throw new CliError('Hermes is not built.', { hint: 'npm run build' });
    const log = openLog(this.#logFile);
    this.#child = spawn(process.execPath, [...nodeArgs, script], {
      detached: true,
      cwd: home,
      stdio: ['ignore', log, log],
      env: { ...process.env, HERMES_HOME: home },
    });
    closeSync(log);
    this.#child.unref();
  }

  /** Repeats the supervisor's lines to the person once the start takes longer than usual. */
  #listen(): void {
    const lines = this.#log.read();
    if (lines.length > 0) this.#lastNews = Date.now();
    this.#heard.push(...lines.map((line) => line.replace(/^\d{4}-\S+Z /, '')));
    if (Date.now() - this.#began < quietMs) return;
    for (const line of this.#heard.slice(this.#told)) this.#options.report(line);
    this.#told = this.#heard.length;
  }

  #checkSupervisor(): void {
    const code = this.#child?.exitCode ?? null;
    if (code === null && this.#child?.signalCode == null) return;
    this.#child = undefined;
    if (code === homeTakenExitCode) return;
    this.#heard.push(...this.#log.read().map((line) => line.replace(/^\d{4}-\S+Z /, '')));
    const at = this.#heard.findIndex((line) => line.startsWith('cannot start'));
    const words = at >= 0 ? this.#heard.slice(at) : crashWords(lastLines(this.#logFile, 30));
    throw new CliError(`the service could not be started: ${words.join('\n  ').replace(/^cannot start: /, '')}`, {
      hint: `The log is ${this.#logFile}. \`hermes doctor\` checks every part.`,
    });
  }

  #checkTroubles(): void {
    const hopeless = hopelessPart(this.#options.home);
    if (hopeless === undefined) return;
    const words = lastLines(hopeless.logFile, 40)
      .filter((line) => !/^\s*(at |$)/.test(line))
      .slice(-4)
      .map((line) => `  ${formatLogLine(line)}`);
    throw new CliError([`the service does not come up: ${hopeless.reason}`, ...words].join('\n'), {
      hint: `It is tried again meanwhile; the log is ${hopeless.logFile}. \`hermes doctor\` checks every part.`,
    });
  }

  #checkSilence(): void {
    const building = this.#heard.at(-1)?.includes('building') === true;
    if (Date.now() - this.#lastNews < (building ? buildLimitMs : silenceLimitMs)) return;
    throw new CliError('the service does not answer', {
      hint: `The log is ${this.#logFile}. \`hermes doctor\` checks every part.`,
    });
  }
}
