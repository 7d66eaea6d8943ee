import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A TCP connection's bad days: what lies between a client and a server on loopback. */
export interface TcpProxy {
  readonly port: number;
  /** Connections that are open. */
  readonly open: () => number;
  /** How many there have been. */
  readonly accepted: () => number;
  /** Ends all connections at once, as a router that was restarted. */
  cut(): void;
  /** Takes what clients send from now on to the server, and ends their connection instead of bringing the answer. */
  cutInsteadOfAnswer(): void;
  /** Keeps connections open and passes nothing on, in both directions, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Holds every piece back for so long, in each direction. */
  delay(ms: number): void;
  /** Ends new connections at once until `allow`. */
  refuse(): void;
  allow(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let state: 'open' | 'frozen' | 'refusing' = 'open';
  let thawed = Promise.resolve();
  let letGo: () => void = () => undefined;
  let delayMs = 0;
  let answersAreCut = false;
  let accepted = 0;

  function join(from: Socket, to: Socket, isAnswer: boolean): void {
    // One piece after another, so that waiting keeps their order.
    let last = Promise.resolve();
    const pass = async (piece: Buffer, dueAt: number) => {
      await thawed;
      if (dueAt > Date.now()) await sleep(dueAt - Date.now());
      if (isAnswer && answersAreCut) {
        answersAreCut = false;
        cut();
      }
      if (!to.destroyed) to.write(piece);
    };
    from.on('data', (piece: Buffer) => {
      const dueAt = Date.now() + delayMs;
      last = last.then(() => pass(piece, dueAt));
    });
    from.on('end', () => {
      last = last.then(async () => {
        await thawed;
        to.end();
      });
    });
  }

  const server = createServer((client) => {
    if (state === 'refusing') {
      client.destroy();
      return;
    }
    accepted++;
    const upstream = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    join(client, upstream, false);
    join(upstream, client, true);
    for (const socket of pair) {
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        pairs.delete(pair);
        void thawed.then(() => {
          for (const other of pair) other.destroySoon();
        });
      });
    }
  });
  function cut(): void {
    for (const pair of [...pairs]) for (const socket of pair) socket.resetAndDestroy();
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const thaw = () => {
    if (state === 'frozen') state = 'open';
    letGo();
  };
  return {
    port: (server.address() as AddressInfo).port,
    open: () => pairs.size,
    accepted: () => accepted,
    cut,
    cutInsteadOfAnswer() {
      answersAreCut = true;
    },
    freeze() {
      state = 'frozen';
      thawed = new Promise((resolve) => (letGo = resolve));
    },
    thaw,
    delay(ms) {
      delayMs = ms;
    },
    refuse() {
      state = 'refusing';
    },
    allow() {
      state = 'open';
    },
    async close() {
      thaw();
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
