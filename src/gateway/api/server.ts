import { setMaxListeners } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { PortError } from '../../lib/port-error.ts';
import { createApp } from './app.ts';
import type { ApiDeps } from './deps.ts';
import { loadToken } from './token.ts';

export interface Api {
  /**
   * Begins to listen; port 0 picks a free one.
   * Rejects with PortError `Config.Invalid` when the address cannot be had.
   */
  listen(address: { host: string; port: number }): Promise<void>;
  /** Where it listens, without a slash at the end. Throws before `listen`. */
  url(): string;
  /** Takes no new requests, ends streams and waits, lets the rest finish for a moment. Idempotent, never rejects. */
  close(): Promise<void>;
}

const graceMs = 2_000;

/** @throws PortError `Config.Invalid` when the token file is unusable. */
export function createApi(deps: ApiDeps): Api {
  return new HttpApi(deps);
}

class HttpApi implements Api {
  private readonly closing = new AbortController();
  private readonly server: Server;
  private closed: Promise<void> | null = null;

  constructor(deps: ApiDeps) {
    // Every open request listens to it.
    setMaxListeners(0, this.closing.signal);
    const app = createApp({ ...deps, closing: this.closing.signal }, loadToken(deps.tokenFile));
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false, hostname: 'localhost' });
    this.server = createServer(
      {
        noDelay: true,
        keepAlive: true,
        // Half-open or slow clients must not hold connections for ever; answers may take as long as they like.
        headersTimeout: 10_000,
        requestTimeout: 60_000,
        keepAliveTimeout: 75_000,
        connectionsCheckingInterval: 5_000,
        maxHeaderSize: 32 * 1024,
      },
      (request, response) => {
        if (this.closing.signal.aborted) response.setHeader('connection', 'close');
        listener(request, response).catch((err: unknown) => {
          deps.log.error({ err }, 'an answer could not be written');
          abandon(response);
        });
      },
    );
  }

  listen(address: { host: string; port: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        const where = `${address.host}:${String(address.port)}`;
        const why = error.code === 'EADDRINUSE' ? 'something else listens there' : error.message;
        reject(new PortError('Config.Invalid', `The API cannot listen on ${where}: ${why}.`, { cause: error }));
      };
      this.server.once('error', failed);
      this.server.listen(address.port, address.host, () => {
        this.server.off('error', failed);
        resolve();
      });
    });
  }

  url(): string {
    const address = this.server.address() as AddressInfo | null;
    if (address === null) throw new PortError('Internal.Invariant', 'The API does not listen.');
    // "Every address" is none one can connect to.
    const host = address.address === '0.0.0.0' ? '127.0.0.1' : address.address === '::' ? '::1' : address.address;
    return `http://${host.includes(':') ? `[${host}]` : host}:${String(address.port)}`;
  }

  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  private async end(): Promise<void> {
    this.closing.abort();
    if (!this.server.listening) return;
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => this.server.closeAllConnections(), graceMs);
      // A connection whose last answer has just gone out is kept alive unless somebody closes it.
      const sweep = setInterval(() => this.server.closeIdleConnections(), 20);
      this.server.close(() => {
        clearTimeout(force);
        clearInterval(sweep);
        resolve();
      });
    });
  }
}

function abandon(response: ServerResponse): void {
  response.destroy();
}
