import { homePaths } from '../../config/home.ts';
import { messageOf, type Report } from '../problem.ts';
import { claimDatabase } from '../temporal/database-stamp.ts';
import { isServing } from '../temporal/grpc-health.ts';
import { choosePort } from '../temporal/ports.ts';
import { serverArguments, serverEnvironment } from '../temporal/server-command.ts';
import { serversOfDatabase } from './leftovers.ts';
import type { PartRecord, PartSpec } from './part.ts';
import type { EmbeddedPlan } from './plan.ts';
import { endProcess, isRunning } from './process-identity.ts';
import { readJson, removeRunFile, writeJson, type PortsRecord, type TemporalRecord } from './run-files.ts';

const stopGraceMs = 10_000;
const adoptLimitMs = 3_000;
const askEveryMs = 50;

export interface TemporalPartOptions {
  readonly home: string;
  readonly plan: EmbeddedPlan;
  readonly env: NodeJS.ProcessEnv;
  readonly report: Report;
  /** The server answers at this address; another than before when its port had been taken. */
  readonly onServing: (address: string) => void;
}

/**
 * The embedded server as a supervised part. Throws StartProblem at once when its database file is of another server
 * line, because no restart can mend that.
 */
export function temporalPart(options: TemporalPartOptions): PartSpec {
  const { home, plan, report } = options;
  const paths = homePaths(home);
  const portsFile = `${paths.runDir}/ports.json`;
  const dbFile = paths.temporalDatabaseFile;
  claimDatabase(dbFile, plan.binary);

  const announce = async (record: PartRecord): Promise<void> => {
    const address = record.facts['address'] ?? '';
    while (!(await isServing(address, 1_000))) {
      if (!isRunning(record)) return;
      await new Promise((resolve) => setTimeout(resolve, askEveryMs));
    }
    const served: TemporalRecord = {
      address,
      uiUrl: record.facts['uiUrl'] ?? null,
      pid: record.pid,
      namespace: plan.namespace,
    };
    writeJson(paths.run.temporal, served);
    report(`temporal answers at ${address}`);
    options.onServing(address);
  };

  return {
    name: 'temporal',
    logFile: paths.logs.temporal,
    graceMs: stopGraceMs,
    async launch() {
      for (const orphan of serversOfDatabase(dbFile)) {
        report(`ending a server that still holds ${dbFile} (pid ${orphan.pid})`);
        await endProcess(orphan, stopGraceMs);
      }
      const known = readJson<PortsRecord>(portsFile);
      const port = await choosePort(known?.port, plan.port);
      const uiPort = await choosePort(known?.uiPort, plan.uiPort);
      writeJson(portsFile, { port, uiPort } satisfies PortsRecord);
      return {
        program: plan.binary.path,
        args: serverArguments({ dbFile, port, uiPort, namespace: plan.namespace }),
        env: serverEnvironment(options.env),
        facts: {
          address: `127.0.0.1:${port}`,
          uiUrl: `http://127.0.0.1:${uiPort}`,
          server: plan.binary.server,
          dbFile,
        },
      };
    },
    accepts: (record) => {
      const { address = '', server, dbFile: file } = record.facts;
      if (server !== plan.binary.server || file !== dbFile) return Promise.resolve(false);
      return isServing(address, adoptLimitMs);
    },
    isReady: (record) => readJson<TemporalRecord>(paths.run.temporal)?.pid === record.pid,
    onUp: (record) => {
      announce(record).catch((error: unknown) => report(`temporal could not be announced: ${messageOf(error)}`));
    },
    onDown: (record) => removeRunFile(paths.run.temporal, record.pid),
  };
}
