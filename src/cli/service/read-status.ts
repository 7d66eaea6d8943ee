import { request } from 'node:http';
import { homePaths } from '../../config/home.ts';
import type { Status } from '../../contracts/api.ts';
import { readEndpoint, type Endpoint } from '../client/endpoint.ts';
import { version } from '../version.ts';
import { readServiceState } from './service-state.ts';

const limitMs = 3_000;

/**
 * The status of a home: what the service says, or, when it does not answer, what the run files and the configuration
 * say with `ready` false. Starts nothing and does not throw for a service that is down.
 */
export async function readStatus(home: string, env: NodeJS.ProcessEnv): Promise<Status> {
  const endpoint = readEndpoint(home);
  const told = endpoint === null ? null : await askStatus(endpoint);
  return told ?? (await statusFromFiles(home, env));
}

async function statusFromFiles(home: string, env: NodeJS.ProcessEnv): Promise<Status> {
  // Loaded only here: a service that answers has read the configuration already.
  const { loadConfig } = await import('../../config/load.ts');
  const { chooseModel } = await import('../../config/model-choice.ts');
  const { config } = loadConfig({ home, env });
  const { provider, name } = chooseModel(config, env);
  const state = readServiceState(home);
  return {
    ready: false,
    version: version(),
    home,
    api: {
      url: state.apiUrl ?? `http://${config.api.host}:${config.api.port}`,
      tokenFile: homePaths(home).apiTokenFile,
    },
    temporal: {
      address: state.temporal?.address ?? config.temporal.address ?? `127.0.0.1:${config.temporal.port}`,
      uiUrl: state.temporal?.uiUrl ?? null,
      pid: state.temporal?.pid ?? null,
    },
    worker: { pid: state.workerPid },
    gateway: { pid: state.gatewayPid },
    model: [provider, name].filter((part) => part !== null).join(':'),
    backend: config.terminal.backend,
    openTurns: 0,
    waitingApprovals: 0,
  };
}

/** GET /api/status; null when the service does not answer as itself. */
function askStatus({ host, port, token }: Endpoint): Promise<Status | null> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` };
    const call = request({ host, port, path: '/api/status', headers, timeout: limitMs, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve(response.statusCode === 200 ? (JSON.parse(text) as Status) : null);
      });
    });
    call.once('timeout', () => call.destroy());
    call.once('error', () => resolve(null));
    call.once('close', () => resolve(null));
    call.end();
  });
}
