import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { homePaths } from '../../../config/home.ts';
import { loadConfig } from '../../../config/load.ts';
import { answersHealth } from '../../../workers/supervise/api-health.ts';
import { serversOfDatabase } from '../../../workers/supervise/leftovers.ts';
import { readDatabaseStamp } from '../../../workers/temporal/database-stamp.ts';
import { isServing } from '../../../workers/temporal/grpc-health.ts';
import { isNewEnough, parseTemporalVersion, sameDatabaseLine, temporalPin } from '../../../workers/temporal/pin.ts';
import { acceptsConnections } from '../../../workers/temporal/ports.ts';
import { readServiceState } from '../service-state.ts';
import { endLeftovers, leftoverParts } from '../stop-service.ts';
import type { Check, Examination, Finding } from './finding.ts';

const answerLimitMs = 5_000;

/** Parts and servers that run without a supervisor. The next start takes them over, so they harm nothing by themselves. */
export const checkLeftovers: Check = async ({ home, fix }) => {
  const parts = leftoverParts(home).map(([name, record]) => `${name} (pid ${record.pid})`);
  const supervised = readServiceState(home).supervisor !== null;
  const servers = supervised ? [] : serversOfDatabase(homePaths(home).temporalDatabaseFile);
  const left = parts.length > 0 ? parts : servers.map(({ pid }) => `temporal (pid ${pid})`);
  if (left.length === 0) return [{ name: 'leftovers', state: 'fine', detail: 'no process without a supervisor' }];
  const detail = `without a supervisor: ${left.join(', ')}`;
  if (!fix)
    return [
      { name: 'leftovers', state: 'wrong', detail, hint: '`hermes up` takes them over, `hermes down` ends them.' },
    ];
  await endLeftovers(home, () => undefined);
  return [{ name: 'leftovers', state: 'fixed', detail: `ended ${left.join(', ')}` }];
};

/** The program of the embedded server runs and fits the home's database file. */
export const checkTemporalProgram: Check = ({ home, env }) => {
  const name = 'temporal program';
  const { address } = loadConfig({ home, env }).config.temporal;
  if (address !== null) return [{ name, state: 'fine', detail: 'not needed: a server of your own is named' }];
  const found = temporalPrograms(home, env).find((candidate) => isNewEnough(candidate));
  if (found === undefined) {
    return [{ name, state: 'note', detail: `${temporalPin.cli} is not there yet; the next start fetches it` }];
  }
  const stamp = readDatabaseStamp(homePaths(home).temporalDatabaseFile);
  const detail = `${found.cli} (server ${found.server}), ${found.path}`;
  if (stamp === undefined || sameDatabaseLine(stamp.server, found.server)) return [{ name, state: 'fine', detail }];
  const hint = `Put temporal ${stamp.cli} on the PATH to finish what is in progress; see docs/operations.md, upgrade.`;
  return [{ name, state: 'wrong', detail: `${detail} cannot open a file of server ${stamp.server}`, hint }];
};

function temporalPrograms(home: string, env: NodeJS.ProcessEnv): { path: string; cli: string; server: string }[] {
  const folders = (env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'temporal'));
  const file = `temporal-${temporalPin.cli}`;
  const cached = [join(homePaths(home).binDir, file), join(import.meta.dirname, '../../../../.cache/temporal', file)];
  return [...folders, ...cached].filter(existsSync).flatMap((path) => {
    const result = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: answerLimitMs });
    const version = parseTemporalVersion(result.stdout);
    return version === undefined ? [] : [{ path, ...version }];
  });
}

/** The server the service talks to answers. */
export const checkTemporal: Check = async (examination) => {
  const name = 'temporal';
  const record = readServiceState(examination.home).temporal;
  if (record === null) return [await checkNamedServer(examination)];
  const { address, pid } = record;
  const answers = pid === null ? await reaches(address) : await isServing(address, answerLimitMs);
  if (answers) return [{ name, state: 'fine', detail: `${address} answers` }];
  const hint =
    pid === null
      ? 'Check the network and temporal.address.'
      : '`hermes logs temporal` says why; it is restarted by itself.';
  return [{ name, state: 'wrong', detail: `${address} does not answer`, hint }];
};

async function checkNamedServer({ home, env }: Examination): Promise<Finding> {
  const { address } = loadConfig({ home, env }).config.temporal;
  if (address === null) return { name: 'temporal', state: 'note', detail: 'not running; `hermes up` starts it' };
  if (await reaches(address)) return { name: 'temporal', state: 'fine', detail: `${address} accepts connections` };
  const hint = 'Check the network and temporal.address.';
  return { name: 'temporal', state: 'wrong', detail: `${address} cannot be reached`, hint };
}

/** A server of one's own may want keys and certificates, so only its port is tried. */
function reaches(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':');
  const [host, port] = at < 0 ? [address, '7233'] : [address.slice(0, at), address.slice(at + 1)];
  return acceptsConnections(host, Number(port), answerLimitMs);
}

/** The supervisor runs, no part keeps dying, and the API answers. */
export const checkService: Check = async ({ home }) => {
  const { supervisor, apiUrl, troubles } = readServiceState(home);
  const name = 'service';
  if (supervisor === null) return [{ name, state: 'note', detail: 'not running; `hermes up` starts it' }];
  const dying = Object.entries(troubles).map(([part, trouble]): Finding => ({
    name,
    state: 'wrong',
    detail: `${part} died ${trouble.deaths} times in a row: ${trouble.reason}`,
    hint: `Its log is ${trouble.logFile}.`,
  }));
  if (dying.length > 0) return dying;
  if (apiUrl !== null && (await answersHealth(apiUrl, answerLimitMs))) {
    return [{ name, state: 'fine', detail: `runs (pid ${supervisor.pid}), ${apiUrl} answers` }];
  }
  const detail = apiUrl === null ? 'runs, but its API has not come up' : `${apiUrl} does not answer`;
  return [{ name, state: 'wrong', detail, hint: '`hermes logs service` says why.' }];
};
