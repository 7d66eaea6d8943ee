import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface Fault {
  /** Matched against `METHOD /path`. */
  readonly on: RegExp;
  /** How many requests meet it; once where not given. */
  readonly times?: number;
  readonly kind:
    | 'status'
    /** No answer, ever. */
    | 'hang'
    /** The connection is dropped before anything is done. */
    | 'refuse'
    /** Done, and the connection dropped in place of the answer. */
    | 'lose-answer';
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
}

export interface Faults {
  add(fault: Fault): void;
  /** No more of them; who hangs is let go of. */
  clear(): void;
  /** True where the request has been dealt with. */
  meet(request: IncomingMessage, response: ServerResponse): boolean;
}

export function createFaults(): Faults {
  let waiting: { fault: Fault; left: number }[] = [];
  const hanging = new Set<Socket>();
  return {
    add: (fault) => {
      waiting.push({ fault, left: fault.times ?? 1 });
    },
    clear: () => {
      waiting = [];
      for (const socket of hanging) socket.destroy();
      hanging.clear();
    },
    meet: (request, response) => {
      const line = `${request.method ?? ''} ${request.url ?? ''}`;
      const met = waiting.find(({ fault, left }) => left > 0 && fault.on.test(line));
      if (!met) return false;
      met.left -= 1;
      const { kind, status = 500, headers, message = 'a fault of the test' } = met.fault;
      switch (kind) {
        case 'hang':
          hanging.add(request.socket);
          return true;
        case 'refuse':
          request.socket.destroy();
          return true;
        case 'lose-answer':
          response.end = () => {
            request.socket.destroy();
            return response;
          };
          return false;
        case 'status':
          request.resume();
          response.writeHead(status, { 'content-type': 'application/json', ...headers });
          response.end(JSON.stringify({ statusCode: status, message, source: 'DAYTONA_API' }));
          return true;
      }
    },
  };
}
