import type { StreamEvent } from '../contracts/stream.ts';
import type { StreamBus } from './bus.ts';
import { TurnBacklog } from './turn-backlog.ts';

export interface StreamLog {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface MemoryBusOptions {
  /** Where a listener that throws is told of; else a process warning. */
  readonly log?: StreamLog;
  readonly maxTextChars?: number;
  readonly maxEvents?: number;
  /** What has been silent for so long is forgotten: its turn will not go on in this process. */
  readonly idleMs?: number;
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number;
}

type Listener = (event: StreamEvent) => void;

const sweepEveryMs = 60_000;

/** The bus within one process. A listener is called before `publish` returns; one that throws is not called again. */
export function createMemoryBus(options: MemoryBusOptions = {}): StreamBus {
  const { maxTextChars = 400_000, maxEvents = 1_000, idleMs = 3_600_000 } = options;
  const now = options.now ?? (() => performance.now());
  const log = options.log ?? processWarnings;
  const listeners = new Map<string, Set<Listener>>();
  const everywhere = new Set<Listener>();
  const backlogs = new Map<string, { readonly backlog: TurnBacklog; usedAt: number }>();
  let sweptAt = now();

  const sweep = (at: number): void => {
    if (at - sweptAt < sweepEveryMs) return;
    sweptAt = at;
    for (const [conversationId, { usedAt }] of backlogs) {
      if (at - usedAt > idleMs) backlogs.delete(conversationId);
    }
  };

  const remember = (event: StreamEvent): void => {
    const at = now();
    sweep(at);
    const known = backlogs.get(event.conversationId) ?? {
      backlog: new TurnBacklog({ maxTextChars, maxEvents }),
      usedAt: at,
    };
    known.usedAt = at;
    known.backlog.add(event);
    backlogs.set(event.conversationId, known);
  };

  const unsubscribe = (conversationId: string, listener: Listener): void => {
    const those = listeners.get(conversationId);
    if (those?.delete(listener) === true && those.size === 0) listeners.delete(conversationId);
    everywhere.delete(listener);
  };

  return {
    publish(event) {
      remember(event);
      for (const listener of [...(listeners.get(event.conversationId) ?? []), ...everywhere]) {
        try {
          listener(event);
        } catch (error) {
          unsubscribe(event.conversationId, listener);
          log.warn({ error: String(error), kind: event.kind }, 'a listener of the stream threw and was dropped');
        }
      }
    },
    subscribe(conversationId, listener) {
      // Its own function each time, so that one subscriber may subscribe twice and end each on its own.
      const own: Listener = (event) => listener(event);
      const those = listeners.get(conversationId) ?? new Set();
      listeners.set(conversationId, those.add(own));
      return () => unsubscribe(conversationId, own);
    },
    subscribeAll(listener) {
      const own: Listener = (event) => listener(event);
      everywhere.add(own);
      return () => void everywhere.delete(own);
    },
    backlog: (conversationId) => backlogs.get(conversationId)?.backlog.read() ?? [],
  };
}

const processWarnings: StreamLog = {
  warn: (fields, message) => process.emitWarning(`${message}: ${JSON.stringify(fields)}`),
};
