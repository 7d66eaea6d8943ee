import type { Destination } from './destination.ts';
import { unavailable } from './errors.ts';
import type { Hop } from './hop.ts';

/** One connection with how many channels it carries. */
export interface Line {
  readonly hop: Hop;
  used: number;
  /** Lowered to what the server turned out to allow. */
  capacity: number;
  idle: NodeJS.Timeout | undefined;
}

/** The connections to one server, opened when they are needed and closed when idle. */
export interface Lines {
  /** A place for one channel; waits for it. Rejects with a PortError of `open`, or Terminal.BackendUnavailable. */
  acquire(): Promise<Line>;
  release(line: Line): void;
  /** Resolves when a place may have become free, after `ms` at the latest. */
  changed(ms: number): Promise<void>;
  /** Ends one. Idempotent. */
  drop(line: Line): void;
  /** Ends all, also one that is being opened. The next `acquire` opens a new one. */
  close(): void;
}

export interface LinesOptions {
  readonly destination: Destination;
  readonly open: () => Promise<Hop>;
  /** A connection without channels is closed after this long. */
  readonly idleMs: number;
  /** How long to wait for a free place. */
  readonly timeoutMs: number;
}

/** OpenSSH allows 10 by default (MaxSessions); a channel that is being closed counts for a moment longer. */
const channelsPerConnection = 8;
const maxConnections = 3;
/** After another connection was refused while one is there. */
const pauseMs = 10_000;

export function createLines(options: LinesOptions): Lines {
  let lines: Line[] = [];
  let opening: Promise<void> | null = null;
  let noMoreUntil = 0;
  let generation = 0;
  const { wake, changed } = createBell();

  const drop = (line: Line) => {
    clearTimeout(line.idle);
    lines = lines.filter((other) => other !== line);
    line.hop.destroy();
    wake();
  };
  const restIfIdle = (line: Line) => {
    clearTimeout(line.idle);
    if (line.used > 0) return;
    line.capacity = channelsPerConnection;
    line.idle = setTimeout(drop, options.idleMs, line);
  };

  async function openLine(): Promise<void> {
    const born = generation;
    const hop = await options.open();
    if (born !== generation) {
      hop.destroy();
      throw unavailable(options.destination, 'the connection was closed here while it was being made');
    }
    const line: Line = { hop, used: 0, capacity: channelsPerConnection, idle: undefined };
    lines.push(line);
    restIfIdle(line);
    void hop.closed.then(() => {
      drop(line);
    });
  }

  /** One more connection, shared by all who wait for it. */
  async function more(): Promise<void> {
    opening ??= openLine().finally(() => {
      opening = null;
      wake();
    });
    try {
      await opening;
    } catch (error) {
      if (lines.length === 0) throw error;
      // The connections that are there will do; the server may take no more of them.
      noMoreUntil = Date.now() + pauseMs;
    }
  }

  async function acquire(): Promise<Line> {
    const limit = Date.now() + options.timeoutMs;
    for (;;) {
      const free = lines.find(({ hop, used, capacity }) => hop.alive() && used < capacity);
      if (free) {
        free.used++;
        clearTimeout(free.idle);
        return free;
      }
      const leftMs = limit - Date.now();
      if (opening || lines.length === 0 || (lines.length < maxConnections && Date.now() > noMoreUntil)) await more();
      else if (leftMs > 0) await changed(leftMs);
      else throw unavailable(options.destination, 'all its sessions are in use (MaxSessions in its sshd_config)');
    }
  }

  return {
    acquire,
    changed,
    drop,
    release(line) {
      line.used--;
      if (line.hop.alive()) restIfIdle(line);
      wake();
    },
    close() {
      generation++;
      for (const line of [...lines]) drop(line);
    },
  };
}

/** `changed` resolves at the next `wake`, after `ms` at the latest. */
function createBell() {
  const waiting = new Set<() => void>();
  return {
    wake: () => {
      for (const done of [...waiting]) done();
    },
    changed: (ms: number): Promise<void> =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, ms);
        waiting.add(done);
      }),
  };
}
