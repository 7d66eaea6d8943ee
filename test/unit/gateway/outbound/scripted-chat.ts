import { onTestFinished } from 'vitest';
import type { FailureType } from '../../../../src/contracts/failure-types.ts';
import type { StreamEvent } from '../../../../src/contracts/stream.ts';
import type { AccountReport, Accounts, OpenAccount } from '../../../../src/gateway/accounts.ts';
import type { OutboundDeps, OutboundTimes } from '../../../../src/gateway/outbound/deps.ts';
import { createOutbound, type Outbound } from '../../../../src/gateway/outbound/outbound.ts';
import type {
  OutboundButton,
  OutboundFile,
  OutboundText,
  PlatformAddress,
  PlatformCapabilities,
  PlatformConnection,
  PlatformOutbound,
  SendOptions,
} from '../../../../src/gateway/platforms/platform.ts';
import { PortError } from '../../../../src/lib/port-error.ts';
import type { Store } from '../../../../src/store/ports.ts';
import { createMemoryBus } from '../../../../src/stream/memory-bus.ts';
import type { StreamBus } from '../../../../src/stream/bus.ts';
import { openTempStore } from '../../store/support/open-temp-store.ts';

export interface Shown {
  readonly id: string;
  readonly key: string;
  readonly chat: string;
  text: string;
  buttons: readonly OutboundButton[];
  readonly replyTo: string | null;
  readonly file: { readonly name: string; readonly bytes: Buffer } | null;
  edits: number;
}

/** How a call ends. `killed-*`: its process dies, before or after the message has arrived. */
export type Fate =
  | FailureType
  | 'killed-before'
  | 'killed-after'
  | { readonly code: FailureType; readonly arrives?: boolean; readonly retryAfterMs?: number };

/** A platform that keeps what arrived, and fails as it is told. */
export class ScriptedPlatform {
  readonly shown: Shown[] = [];
  readonly calls: string[] = [];
  /** Sends and edits end so, in order. */
  readonly fates: (Fate | null)[] = [];
  typings = 0;
  /** Decides by content, before `fates`. */
  judge: (text: string, chat: string) => Fate | null = () => null;
  /** Called when the process dies. */
  onKill: () => void = () => undefined;
  /** Messages under way that nobody finds yet. */
  hidden = 0;
  readonly capabilities: PlatformCapabilities;

  constructor(more: Partial<PlatformCapabilities> = {}) {
    this.capabilities = {
      text: { max: 400, unit: 'utf16' },
      dialect: 'plain',
      edits: true,
      paceMs: { chat: 0, account: 0 },
      buttons: 8,
      typingMs: null,
      threads: true,
      commands: 'text',
      files: { sendBytes: 1_000_000, receiveBytes: 1_000_000, captionMax: 1_000 },
      voiceNotes: true,
      sendsOnce: 'none',
      ...more,
    };
  }

  get texts(): readonly string[] {
    return this.shown.map(({ text }) => text);
  }

  inChat(chat: string): readonly string[] {
    return this.shown.filter((one) => one.chat === chat).map(({ text }) => text);
  }

  readonly outbound: PlatformOutbound = {
    sendText: (to, text, options) => this.arrive(to, { ...text, file: null }, options),
    sendFile: async (to, file, options) => {
      const bytes = await readAll(file);
      return this.arrive(to, { text: file.caption ?? '', file: { name: file.name, bytes } }, options);
    },
    edit: async (_to, messageId, text) => {
      this.calls.push(`edit ${messageId}`);
      const message = this.shown.find(({ id }) => id === messageId);
      await this.undergo(text.text, message?.chat ?? '', () => {
        if (message === undefined) throw new PortError('Platform.MessageRejected', 'no such message');
        message.text = text.text;
        message.buttons = text.buttons ?? [];
        message.edits += 1;
        return message.id;
      });
    },
    typing: () => {
      this.typings += 1;
      return Promise.resolve();
    },
    reconcile: (_to, key) => {
      this.calls.push(`reconcile ${key}`);
      if (this.hidden > 0) {
        this.hidden -= 1;
        return Promise.resolve({ state: 'absent' });
      }
      const found = this.shown.find((one) => one.key === key);
      return Promise.resolve(found === undefined ? { state: 'absent' } : { state: 'sent', messageId: found.id });
    },
  };

  private async arrive(
    to: PlatformAddress,
    message: OutboundText & { readonly file: Shown['file'] },
    { key }: SendOptions,
  ): Promise<{ messageId: string }> {
    this.calls.push(`send ${key}`);
    const messageId = await this.undergo(message.text, to.chat, () => {
      const known = this.shown.find((one) => one.key === key);
      if (known !== undefined && this.capabilities.sendsOnce === 'native') return known.id;
      const id = `m${this.shown.length + 1}`;
      const { text, buttons = [], replyTo = null, file } = message;
      this.shown.push({ id, key, chat: to.chat, text, buttons, replyTo, file, edits: 0 });
      return id;
    });
    return { messageId };
  }

  private async undergo(text: string, chat: string, arrive: () => string): Promise<string> {
    await new Promise((resolve) => setImmediate(resolve));
    const fate = this.judge(text, chat) ?? this.fates.shift() ?? null;
    if (fate === null) return arrive();
    if (fate === 'killed-before' || fate === 'killed-after') {
      if (fate === 'killed-after') arrive();
      this.onKill();
      // The process is gone: nobody ever hears how it ended.
      return new Promise(() => undefined);
    }
    const { code, arrives = false, retryAfterMs } = typeof fate === 'string' ? { code: fate } : fate;
    if (arrives) arrive();
    throw new PortError(code, `refused: ${code}`, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
}

async function readAll(file: OutboundFile): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await file.open()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export const fastTimes: Partial<OutboundTimes> = {
  lookMs: 20,
  firstBackoffMs: 10,
  longestBackoffMs: 50,
  settleMs: 60,
  liveAfterMs: 30,
  editEveryMs: 20,
  graceMs: 50,
};

export interface OutboundBench {
  readonly store: Store;
  readonly bus: StreamBus;
  readonly events: StreamEvent[];
  readonly accounts: Map<string, ScriptedPlatform>;
  /** Home chats by account. */
  readonly homes: Map<string, string>;
  /** A sender over the store, as a process that has just started has it. An earlier one is dead from then on. */
  readonly boot: (more?: Partial<OutboundDeps>) => Outbound;
}

/** The outbox of a gateway over a real store, with scripted platforms. */
export async function openOutboundBench(platforms: Readonly<Record<string, ScriptedPlatform>>): Promise<OutboundBench> {
  const store = await openTempStore();
  const bus = createMemoryBus();
  const events: StreamEvent[] = [];
  bus.subscribeAll((event) => events.push(event));
  const accounts = new Map(Object.entries(platforms));
  const homes = new Map<string, string>();
  const running: (() => Promise<void>)[] = [];
  onTestFinished(async () => {
    await Promise.all(running.map((stop) => stop()));
  });
  const boot = (more: Partial<OutboundDeps> = {}): Outbound => {
    const alive = { is: true };
    for (const platform of accounts.values()) platform.onKill = () => (alive.is = false);
    const outbound = createOutbound({
      store: mortal(store, alive),
      accounts: () => accountsOf(accounts, () => alive.is),
      bus,
      settings: () => ({ streaming: 'edit', toolProgress: true }),
      redact: (text) => text.replaceAll('s3cret', '[hidden]'),
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
      setUp: () => [...accounts].map(([id, { capabilities }]) => ({ id, capabilities })),
      home: (id) => Promise.resolve(homes.has(id) ? { chat: homes.get(id) ?? '' } : null),
      ...more,
      times: { ...fastTimes, ...more.times },
    });
    outbound.start();
    running.push(() => (alive.is ? outbound.stop() : Promise.resolve()));
    return outbound;
  };
  return { store, bus, events, accounts, homes, boot };
}

/** The outbox of a process that may die: from then on nothing is read or written by it. */
function mortal(store: Store, alive: { is: boolean }): Store {
  const outbox = new Proxy(store.outbox, {
    get: (target, name, receiver) => {
      const method = Reflect.get(target, name, receiver) as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]) => (alive.is ? method.apply(target, args) : new Promise(() => undefined));
    },
  });
  return { ...store, outbox };
}

function accountsOf(platforms: ReadonlyMap<string, ScriptedPlatform>, isAlive: () => boolean): Accounts {
  return {
    get: (id) => {
      const platform = platforms.get(id);
      return platform === undefined || !isAlive() ? undefined : openAccount(id, platform);
    },
    list: () => [...platforms.keys()].map((id) => ({ id }) as AccountReport),
  };
}

function openAccount(id: string, { capabilities, outbound }: ScriptedPlatform): OpenAccount {
  return {
    id,
    descriptor: { id, capabilities } as OpenAccount['descriptor'],
    connection: { outbound } as PlatformConnection,
    conduct: { owner: [], allow: [], admins: [], groups: [], strangers: 'pair', home: null },
  };
}

/** Waits until it holds; then gives it back. */
export async function until<T>(look: () => T | Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 8_000;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
