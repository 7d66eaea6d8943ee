import type { ClientChannel, PseudoTtyOptions } from 'ssh2';
import { denied, unavailable } from './errors.ts';
import { createLines, type Line, type LinesOptions } from './lines.ts';

/** Channels to one server, over as few connections as will do. */
export interface ChannelPool {
  /**
   * Starts a command line in the login shell there. Waits for a free place among the server's sessions. Rejects with
   * a PortError; then the command did not start, or its connection ended before it could be told anything.
   */
  exec(line: string, pty?: PseudoTtyOptions): Promise<PooledChannel>;
  /** What the server calls itself; connects. */
  software(): Promise<string>;
  /** Ends all connections. The next use opens new ones. */
  close(): void;
}

export interface PooledChannel {
  readonly channel: ClientChannel;
  /** Resolves when the connection under it has ended. */
  readonly connectionClosed: Promise<void>;
}

type Opened =
  | { readonly channel: ClientChannel }
  | { readonly problem: /** No place for one more. */ 'full' | 'refused' | 'lost' | 'silent' };

const attempts = 3;
/** A place that was just given back may count as taken on the server for a moment. */
const settleMs = 50;

export function createChannelPool(options: LinesOptions): ChannelPool {
  const { destination, timeoutMs } = options;
  const lines = createLines(options);

  async function exec(text: string, pty?: PseudoTtyOptions): Promise<PooledChannel> {
    for (let attempt = 1; ;) {
      const line = await lines.acquire();
      const opened = await request(line, { text, pty, timeoutMs });
      if ('channel' in opened) return hold(line, opened.channel);
      const others = line.used - 1;
      if (opened.problem === 'full' && others > 0) line.capacity = Math.min(line.capacity, others);
      lines.release(line);
      if (opened.problem === 'refused') throw denied(destination, 'runs no commands for this account.');
      if (opened.problem === 'silent') lines.drop(line);
      // Others hold all that the server allows on one connection: waiting for them is no failure.
      if (opened.problem === 'full' && others > 0) continue;
      if (attempt++ < attempts) {
        if (opened.problem === 'full') await lines.changed(settleMs * attempt);
        continue;
      }
      if (opened.problem === 'full') throw denied(destination, 'allows no sessions (MaxSessions in its sshd_config).');
      throw unavailable(destination, opened.problem === 'silent' ? 'it stopped answering' : 'the connection ended');
    }
  }

  function hold(line: Line, channel: ClientChannel): PooledChannel {
    let held = true;
    const free = () => {
      if (held) lines.release(line);
      held = false;
    };
    channel.once('close', free);
    void line.hop.closed.then(free);
    return { channel, connectionClosed: line.hop.closed };
  }

  return {
    exec,
    async software() {
      const line = await lines.acquire();
      lines.release(line);
      return line.hop.software;
    },
    close: () => {
      lines.close();
    },
  };
}

function request(
  { hop }: Line,
  { text, pty, timeoutMs }: { text: string; pty: PseudoTtyOptions | undefined; timeoutMs: number },
): Promise<Opened> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve({ problem: 'silent' });
    }, timeoutMs);
    const settle = (opened: Opened) => {
      clearTimeout(timer);
      resolve(opened);
    };
    void hop.closed.then(() => {
      settle({ problem: 'lost' });
    });
    const answered = (error: (Error & { reason?: unknown }) | undefined, channel: ClientChannel) => {
      if (!error) settle({ channel });
      else if (!hop.alive()) settle({ problem: 'lost' });
      else settle({ problem: typeof error.reason === 'number' ? 'full' : 'refused' });
    };
    try {
      hop.client.exec(text, pty ? { pty } : {}, answered);
    } catch {
      // ssh2 throws instead of calling back where its socket is gone already.
      settle({ problem: 'lost' });
    }
  });
}
