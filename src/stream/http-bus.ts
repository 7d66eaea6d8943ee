import { readFile } from 'node:fs/promises';
import { Agent, request as httpRequest, type ClientRequest } from 'node:http';
import type { StreamEvent } from '../contracts/stream.ts';
import type { StreamBus } from './bus.ts';
import { createMemoryBus, type StreamLog } from './memory-bus.ts';
import { SendBuffer } from './send-buffer.ts';

/** Where the gateway is: known, or read from its files, which change when it starts anew. */
export type GatewayAddress =
  | { readonly url: string; readonly token: string }
  | {
      /** JSON with `url`. */
      readonly runFile: string;
      /** The token itself. */
      readonly tokenFile: string;
    };

export interface ForwardingTuning {
  readonly log?: StreamLog;
  readonly maxBufferedEvents?: number;
  readonly requestTimeoutMs?: number;
  /** How long `close` may try to get rid of what is left. */
  readonly closeTimeoutMs?: number;
}

export interface ForwardingBus extends StreamBus {
  /** Sends what is left, for a short time, and lets go of the connection. Idempotent; never rejects. */
  close(): Promise<void>;
}

const longestWaitMs = 2_000;
const eventsPerRequest = 500;

/**
 * The bus of a worker that runs alone: every event goes to the gateway's process, and to listeners in this one. What is
 * published while a request is on its way travels with the next one, so load makes batches and calm costs no delay. A gateway
 * that is away is asked again; what does not fit the buffer meanwhile, and what was lost on the way, is lost.
 */
export function createForwardingBus(address: GatewayAddress, tuning: ForwardingTuning = {}): ForwardingBus {
  const local = createMemoryBus(tuning.log === undefined ? {} : { log: tuning.log });
  const buffer = new SendBuffer(tuning.maxBufferedEvents ?? 5_000);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const timeoutMs = tuning.requestTimeoutMs ?? 5_000;
  let target: Target | null = null;
  let pump: Promise<void> | null = null;
  let closing = false;
  let wake: () => void = () => undefined;

  const sendAll = async (): Promise<void> => {
    // What else this tick publishes comes along.
    await new Promise((resolve) => setImmediate(resolve));
    for (let waitMs = 50; buffer.size > 0;) {
      const events = buffer.take(eventsPerRequest);
      const outcome = await attempt(events);
      if (outcome === 'sent') {
        waitMs = 50;
        continue;
      }
      // Sending again what may have arrived would show it twice.
      if (outcome === 'not-sent') buffer.putBack(events);
      target = null;
      if (closing && outcome === 'not-sent') return;
      if (!closing) await pause(waitMs);
      waitMs = Math.min(waitMs * 2, longestWaitMs);
    }
  };

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      timer.unref();
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const attempt = async (events: readonly StreamEvent[]): Promise<Outcome> => {
    target ??= await findTarget(address);
    return target === null ? 'not-sent' : post(target, { agent, timeoutMs, body: JSON.stringify(events) });
  };

  const start = (): void => {
    pump ??= sendAll().finally(() => {
      pump = null;
      if (buffer.size > 0 && !closing) start();
    });
  };

  return {
    publish(event) {
      local.publish(event);
      if (closing) return;
      buffer.add(event);
      start();
    },
    subscribe: (conversationId, listener) => local.subscribe(conversationId, listener),
    subscribeAll: (listener) => local.subscribeAll(listener),
    backlog: (conversationId) => local.backlog(conversationId),
    async close() {
      closing = true;
      wake();
      const limit = setTimeout(() => agent.destroy(), tuning.closeTimeoutMs ?? 1_000);
      await pump;
      clearTimeout(limit);
      agent.destroy();
    },
  };
}

interface Target {
  readonly url: URL;
  readonly token: string;
}

async function findTarget(address: GatewayAddress): Promise<Target | null> {
  try {
    const [url, token] =
      'url' in address
        ? [address.url, address.token]
        : [
            (JSON.parse(await readFile(address.runFile, 'utf8')) as { url: string }).url,
            (await readFile(address.tokenFile, 'utf8')).trim(),
          ];
    return { url: new URL(`${url.replace(/\/+$/, '')}/internal/stream`), token };
  } catch {
    return null; // no gateway has started yet, or it is just writing its files
  }
}

type Outcome = 'sent' | 'not-sent' | 'unknown';

/** One try. A kept connection that turns out to be closed counts as not sent: nothing was read from it. */
function post(
  target: Target,
  options: { readonly agent: Agent; readonly timeoutMs: number; readonly body: string },
): Promise<Outcome> {
  const { agent, timeoutMs, body } = options;
  return new Promise((resolve) => {
    const headers = {
      authorization: `Bearer ${target.token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const sending: ClientRequest = httpRequest(target.url, { method: 'POST', agent, headers, timeout: timeoutMs });
    sending.once('timeout', () => sending.destroy());
    sending.once('response', (response) => {
      response.resume();
      response.once('close', () => {
        const status = response.statusCode ?? 0;
        resolve(status < 300 ? 'sent' : status === 401 || status === 503 ? 'not-sent' : 'unknown');
      });
    });
    sending.once('error', (error: NodeJS.ErrnoException) => {
      const neverArrived = error.code === 'ECONNREFUSED' || (sending.reusedSocket && error.code === 'ECONNRESET');
      resolve(neverArrived ? 'not-sent' : 'unknown');
    });
    sending.end(body);
  });
}
