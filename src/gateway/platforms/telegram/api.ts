import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Api } from 'grammy';
import { notConnected, portErrorOf, type Effect } from './errors.ts';

type CallSignal = Parameters<Api['getMe']>[0];

/** The Bot API through grammY: one try per call, a limit of time on each, failures as PortError without the token. */
export interface TelegramApi {
  call<T>(
    call: { readonly effect: Effect; readonly signal: AbortSignal; readonly limitMs?: number },
    work: (api: Api, signal: CallSignal) => Promise<T>,
  ): Promise<T>;
  /** Where files lie; contains the token, so it goes into no error. */
  fileUrl(path: string): string;
  close(): void;
}

const usualLimitMs = 30_000;
// A pooled connection that the platform closes in the very moment of a send would leave its fate unknown, so they are not
// kept for long.
const idleMs = 10_000;

const usualConnectMs = 10_000;

export function createTelegramApi(token: string, root: string, connectMs = usualConnectMs): TelegramApi {
  const apiRoot = root.replace(/\/+$/, '');
  const agent = agentFor(apiRoot.startsWith('https:'), connectMs);
  // The library's own limit must never be the first one: it does not tell whether the request went out.
  const api = new Api(token, { apiRoot, timeoutSeconds: 600, sensitiveLogs: false, baseFetchConfig: { agent } });
  return {
    call: async ({ effect, signal, limitMs = usualLimitMs }, work) => {
      if (signal.aborted) throw portErrorOf(new Error('given up beforehand'), 'unsent');
      const giving = new AbortController();
      const giveUp = (): void => giving.abort();
      const timer = setTimeout(giveUp, limitMs);
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        return await work(api, giving.signal as CallSignal);
      } catch (error) {
        throw portErrorOf(error, effect);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
      }
    },
    fileUrl: (path) => `${apiRoot}/file/bot${token}/${encodeURI(path)}`,
    close: () => agent.destroy(),
  };
}

/** Gives up on a connection that is not made in time, and says that nothing went out over it. */
function agentFor(secure: boolean, connectMs: number): HttpAgent {
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, timeout: idleMs });
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = connect(options, callback);
    if (socket === null || socket === undefined) return socket;
    const late = setTimeout(() => socket.destroy(new NotConnected('no connection in time')), connectMs);
    const made = (): void => clearTimeout(late);
    socket.once(secure ? 'secureConnect' : 'connect', made).once('close', made);
    return socket;
  };
  return agent;
}

class NotConnected extends Error {
  readonly code = notConnected;
}
