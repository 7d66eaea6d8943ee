import type { ConnectionState, PlatformEvent, PlatformInbox } from '../../../src/gateway/platforms/platform.ts';

/** How an inbox refuses: `before` keeps nothing; `after` keeps the event and rejects, as if killed after the commit. */
type Refusal = 'before' | 'after';

/**
 * The inbox of one account in memory. It outlives the connections that are opened over it, as the store does, and keeps
 * an event once whatever key it comes under.
 */
export interface MemoryInbox extends PlatformInbox {
  /** What was accepted, each event once, in the order of acceptance. */
  readonly events: readonly PlatformEvent[];
  /** The key of every call of `accept`, repeats and refused ones too. */
  readonly offers: readonly string[];
  readonly states: readonly { readonly state: ConnectionState; readonly detail: string | undefined }[];
  readonly shown: readonly string[];
  /** From now on every event is refused, until null. */
  refuse(how: Refusal | null): void;
  /** From now on `accept` waits; false lets what waits go on. */
  hold(on: boolean): void;
  /** The first accepted event that is so, now or within the time; rejects with what came instead. */
  event(is: (event: PlatformEvent) => boolean, limitMs?: number): Promise<PlatformEvent>;
}

export function createMemoryInbox(): MemoryInbox {
  const values = new Map<string, string>();
  const known = new Set<string>();
  const events: PlatformEvent[] = [];
  const offers: string[] = [];
  const states: { state: ConnectionState; detail: string | undefined }[] = [];
  const shown: string[] = [];
  const held: (() => void)[] = [];
  let refusal: Refusal | null = null;
  let holding = false;

  const keep = (event: PlatformEvent): void => {
    const keys = [event.key, ...(event.aliases ?? [])];
    if (!keys.some((key) => known.has(key))) events.push(asStored(event));
    for (const key of keys) known.add(key);
  };

  return {
    events,
    offers,
    states,
    shown,
    refuse: (how) => {
      refusal = how;
    },
    hold: (on) => {
      holding = on;
      if (!on) for (const go of held.splice(0)) go();
    },
    event: async (is, limitMs = 10_000) => {
      const until = Date.now() + limitMs;
      for (;;) {
        const found = events.find(is);
        if (found !== undefined) return found;
        if (Date.now() > until) throw new Error(`no such event came; accepted: ${JSON.stringify(events, null, 1)}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    accept: async (event) => {
      offers.push(event.key);
      if (holding) await new Promise<void>((resolve) => held.push(resolve));
      // A commit takes a moment; an adapter that acknowledges without waiting for it is found out.
      else await new Promise((resolve) => setImmediate(resolve));
      if (refusal !== 'before') keep(event);
      if (refusal !== null) throw new Error('the inbox refuses');
    },
    load: (name) => Promise.resolve(values.get(name) ?? null),
    save: (changes) => {
      for (const [name, value] of Object.entries(changes)) {
        if (value === null) values.delete(name);
        else values.set(name, value);
      }
      return Promise.resolve();
    },
    names: (prefix) => Promise.resolve([...values.keys()].filter((name) => name.startsWith(prefix))),
    state: (state, detail) => void states.push({ state, detail }),
    show: (text) => void shown.push(text),
  };
}

/** Through JSON, as the store keeps it: what JSON cannot say is lost here too. */
function asStored(event: PlatformEvent): PlatformEvent {
  return JSON.parse(JSON.stringify(event)) as PlatformEvent;
}
