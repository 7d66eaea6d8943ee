import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hermesHome, homePaths } from '../config/home.ts';
import { messageOf, StartProblem, type Report } from './problem.ts';
import { askPlan } from './supervise/ask-plan.ts';
import { claimHome, HomeTaken } from './supervise/claim-home.ts';
import { serviceEntry, workerEntry, type Entry } from './supervise/entry.ts';
import { homeTakenExitCode } from './supervise/exit-codes.ts';
import { HangWatch, probeApi, probeTemporal, watchForHangs } from './supervise/hang-watch.ts';
import { rotateLog } from './supervise/log-files.ts';
import { Part, type PartName } from './supervise/part.ts';
import { partRecords } from './supervise/part-records.ts';
import type { Plan } from './supervise/plan.ts';
import { endProcess } from './supervise/process-identity.ts';
import { removeRunFile, writeJson, type TemporalRecord } from './supervise/run-files.ts';
import { servicePart } from './supervise/service-part.ts';
import { temporalPart } from './supervise/temporal-part.ts';

export interface SupervisorOptions {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly report: Report;
  /** Makes the plan; a process of its own by default. */
  readonly plan: () => Promise<Plan>;
  /** The service's program, with the arguments node gets before it. */
  readonly service: Entry;
  /** How often logs are looked at and parts are asked whether they answer. Default 10,000. */
  readonly houseKeepingMs?: number;
}

/** A home whose parts are kept up. */
export interface Supervision {
  /** Ends the service, then Temporal, and gives the home up. Called again, it does not wait for running work any more. */
  stop(): Promise<void>;
}

/**
 * Starts and keeps up the parts of a home: the embedded Temporal server (unless a person named another) and the service
 * in one process or two. Parts left running by a supervisor that died are taken over when they fit and ended when they
 * do not. Throws HomeTaken, or StartProblem for what a person must mend.
 */
export async function supervise(options: SupervisorOptions): Promise<Supervision> {
  const { home, report } = options;
  const paths = homePaths(home);
  const giveUp = await claimHome(home, packageVersion());
  try {
    const plan = await options.plan();
    const records = partRecords(paths.runDir);
    const names = partNames(plan);
    for (const [name, record] of records.all()) {
      if (names.includes(name)) continue;
      report(`ending ${name} of a former supervisor (pid ${record.pid}): it is not needed any more`);
      await endProcess(record, plan.drainMs);
      records.set(name, undefined);
    }
    const parts = makeParts(options, plan, (spec) => new Part(spec, records, report));
    if (plan.temporal.kind === 'external') announceExternal(paths.run.temporal, plan.temporal);
    // Not one after the other is up: the service loads while Temporal starts, and waits for it itself.
    await parts.temporal?.start();
    await Promise.all(parts.services.map((part) => part.start()));
    return running(options, parts, giveUp);
  } catch (error) {
    giveUp();
    throw error;
  }
}

interface Parts {
  readonly temporal: Part | undefined;
  readonly services: readonly Part[];
}

function partNames(plan: Plan): PartName[] {
  const services: PartName[] = plan.split ? ['worker', 'gateway'] : ['service'];
  return plan.temporal.kind === 'embedded' ? ['temporal', ...services] : services;
}

function makeParts(
  options: SupervisorOptions,
  plan: Plan,
  make: (spec: ConstructorParameters<typeof Part>[0]) => Part,
): Parts {
  const { home, env, report } = options;
  const onServing = (address: string): void => {
    for (const part of services) {
      const known = part.current?.facts['temporal'];
      if (known === undefined || known === address) continue;
      part.restart(`temporal moved to ${address}`).catch((error: unknown) => report(messageOf(error)));
    }
  };
  const temporal =
    plan.temporal.kind === 'embedded'
      ? make(temporalPart({ home, env, report, plan: plan.temporal, onServing }))
      : undefined;
  const temporalAddress = (): string | null => {
    if (temporal === undefined) return null;
    const address = temporal.current?.facts['address'];
    if (address === undefined) throw new Error('temporal is not up');
    return address;
  };
  const names = plan.split ? (['worker', 'gateway'] as const) : (['service'] as const);
  const services = names.map((name) =>
    make(servicePart({ name, home, env, temporalAddress, drainMs: plan.drainMs, ...options.service })),
  );
  return { temporal, services };
}

function announceExternal(path: string, plan: { readonly address: string; readonly namespace: string }): void {
  const { address, namespace } = plan;
  writeJson(path, { address, namespace, uiUrl: null, pid: null } satisfies TemporalRecord);
}

function running(options: SupervisorOptions, parts: Parts, giveUp: () => void): Supervision {
  const { report } = options;
  const paths = homePaths(options.home);
  const everyMs = options.houseKeepingMs ?? 10_000;
  const watches = [
    ...(parts.temporal === undefined ? [] : [new HangWatch(parts.temporal, probeTemporal(paths.run.temporal))]),
    // Of a split service only the gateway serves the API.
    ...parts.services.slice(-1).map((part) => new HangWatch(part, probeApi(paths.run.api))),
  ];
  const unwatch = watchForHangs(watches, everyMs, report);
  const rotation = setInterval(() => {
    for (const log of Object.values(paths.logs)) rotateLog(log);
  }, everyMs);
  let stopping: Promise<void> | undefined;
  const stopAll = async (): Promise<void> => {
    unwatch();
    clearInterval(rotation);
    report('stopping');
    await Promise.all(parts.services.map((part) => part.stop()));
    await parts.temporal?.stop();
    removeRunFile(paths.run.temporal);
    removeRunFile(join(paths.runDir, 'parts.json'));
    removeRunFile(join(paths.runDir, 'trouble.json'));
    giveUp();
    report('stopped');
  };
  return {
    stop: () => {
      if (stopping === undefined) return (stopping = stopAll());
      report('asked again: not waiting for running work');
      return Promise.all(parts.services.map((part) => part.stop(0))).then(() => stopping);
    },
  };
}

function packageVersion(): string {
  const path = join(import.meta.dirname, '..', '..', 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/** One line per event with its time; the file it goes to is the starter's choice. */
export function logLine(line: string): void {
  process.stdout.write(`${new Date().toISOString()} ${line}\n`);
}

/** Runs a supervisor until a signal ends it; sets the exit code. Never throws. */
export async function runSupervisor(options: SupervisorOptions): Promise<void> {
  const { report } = options;
  let supervision: Supervision | undefined;
  const asked = new AbortController();
  const stop = (): void => {
    asked.abort();
    supervision?.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        report(`could not stop cleanly: ${messageOf(error)}`);
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop);
  try {
    supervision = await supervise(options);
    // The signal may have come before there was anything to stop.
    if (asked.signal.aborted) stop();
  } catch (error) {
    if (error instanceof HomeTaken) {
      report(error.message);
      process.exit(homeTakenExitCode);
    }
    report(`cannot start: ${messageOf(error)}`);
    if (error instanceof StartProblem && error.hint !== '') report(error.hint);
    process.exit(1);
  }
}

if (process.argv[1] === import.meta.filename) {
  const home = hermesHome(process.env);
  const env = { ...process.env, HERMES_HOME: home };
  await runSupervisor({
    home,
    env,
    report: logLine,
    plan: () => askPlan(workerEntry('supervise/make-plan'), env, logLine),
    service: serviceEntry(),
  });
}
