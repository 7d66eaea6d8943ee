import { inspect } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type {
  PlatformAddress,
  PlatformConnection,
  PlatformDescriptor,
  PlatformEvent,
  PlatformLog,
  PlatformSettings,
  SettingValues,
} from '../../../src/gateway/platforms/platform.ts';
import { commonSettings } from '../../../src/gateway/platforms/common-settings.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { createMemoryInbox, type MemoryInbox } from '../../support/platforms/memory-inbox.ts';
import type { PlatformServer, TestChat } from '../../support/platforms/platform-server.ts';

type MessageEvent = Extract<PlatformEvent, { kind: 'message' }>;

/** One account that is connected to its local server through the real SDK, and short words for what every fact does. */
export interface Bench {
  readonly server: PlatformServer;
  readonly inbox: MemoryInbox;
  /** The connection of now. */
  readonly connection: () => PlatformConnection;
  /** Opens with other settings, without running; closed with the bench. */
  openWith(settings: Readonly<Record<string, unknown>>): Promise<PlatformConnection>;
  /** Connects over the same inbox; resolves once the connection says that it is connected. */
  connect(): Promise<void>;
  /** As a process that ends: nothing is received from here on. */
  disconnect(): Promise<void>;
  /** The event of a message with this text, once it is accepted. */
  message(text: string): Promise<MessageEvent>;
  /** How often a message with this text was accepted. */
  count(text: string): number;
  /** Sends as the outbox does: one try per call, again only where nothing can come twice. Null: nobody knows. */
  deliver(to: PlatformAddress, text: string): Promise<string | null>;
  /** A delivery key that no other test uses. */
  key(): string;
  /** What the work rejects with; fails when it is fulfilled or rejects with anything but a PortError. */
  refusal(work: Promise<unknown>): Promise<PortError>;
  close(): Promise<void>;
}

let keys = 0;

export async function openBench(descriptor: PlatformDescriptor, server: PlatformServer): Promise<Bench> {
  await server.start();
  const inbox = createMemoryInbox();
  const said: unknown[] = [];
  const others: PlatformConnection[] = [];
  let current: Kept | null = null;

  const open = (settings: Readonly<Record<string, unknown>>) =>
    descriptor.open({
      id: descriptor.id,
      settings: { ...defaults(descriptor), ...settings } as never,
      log: logInto(said),
    });
  const connection = (): PlatformConnection => {
    if (current === null) throw new Error('The account is not connected.');
    return current.connection();
  };
  const bench: Bench = {
    server,
    inbox,
    connection,
    openWith: async (settings) => {
      const one = await open({ ...server.settings(), ...settings });
      others.push(one);
      return one;
    },
    connect: async () => {
      current = await keep({ open: () => open(server.settings()), server, inbox, said });
    },
    disconnect: async () => {
      const ending = current;
      current = null;
      await ending?.end();
    },
    message: async (text) => (await inbox.event((event) => hasText(event, text))) as MessageEvent,
    count: (text) => inbox.events.filter((event) => hasText(event, text)).length,
    deliver: (to, text) => deliver({ descriptor, connection, said }, to, text),
    key: () => `conformance/${process.pid}/${keys++}`,
    refusal: async (work) => {
      const error = await work.then(
        (value) => expect.fail(`it is fulfilled with ${inspect(value)}`),
        (reason: unknown) => reason,
      );
      said.push(error);
      if (!PortError.is(error)) throw error;
      return error;
    },
    close: async () => {
      inbox.hold(false);
      await bench.disconnect();
      for (const one of others) await one.close();
      await server.stop();
      expectNoSecrets(said, server.secrets());
    },
  };
  await bench.connect();
  return bench;
}

export function addressOf(chat: TestChat): PlatformAddress {
  return { chat: chat.id, ...(chat.thread === undefined ? {} : { thread: chat.thread }) };
}

/** Waits until it is so. */
export async function until(what: string, is: () => boolean, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!is()) {
    if (Date.now() > end) throw new Error(`after ${limitMs} ms still not: ${what}`);
    await sleep(10);
  }
}

interface Kept {
  connection(): PlatformConnection;
  end(): Promise<void>;
}

interface KeepDeps {
  readonly open: () => Promise<PlatformConnection>;
  readonly server: PlatformServer;
  readonly inbox: MemoryInbox;
  readonly said: unknown[];
}

/** Runs a connection and makes it again whenever it ends by itself, as the gateway does. */
async function keep({ open, server, inbox, said }: KeepDeps): Promise<Kept> {
  const ending = new AbortController();
  let connection = await open();
  const before = inbox.states.length;
  const running = (async () => {
    for (;;) {
      const one = connection;
      server.webhook?.((request) => one.webhook?.(request, inbox) ?? Promise.resolve({ status: 404 }));
      try {
        await one.run(inbox, ending.signal);
      } catch (error) {
        said.push(error);
        inbox.state('failed', String(error));
      }
      if (ending.signal.aborted) return;
      await one.close();
      await sleep(50);
      connection = await open();
    }
  })();
  await until(`connected, but ${inspect(said.slice(-3))}`, () =>
    inbox.states.slice(before).some(({ state }) => state === 'connected'),
  );
  return {
    connection: () => connection,
    end: async () => {
      server.webhook?.(null);
      ending.abort();
      const ended = await Promise.race([running.then(() => true), sleep(10_000, false, { ref: false })]);
      await connection.close();
      expect(ended, 'the connection ends with its signal').toBe(true);
    },
  };
}

interface DeliverDeps {
  readonly descriptor: PlatformDescriptor;
  readonly connection: () => PlatformConnection;
  readonly said: unknown[];
}

async function deliver({ descriptor, connection, said }: DeliverDeps, to: PlatformAddress, text: string) {
  const key = `conformance/${process.pid}/deliver/${keys++}`;
  const sinceAt = new Date(Date.now() - 1_000).toISOString();
  for (let tries = 0; tries < 20; tries += 1) {
    try {
      const options = { key, signal: AbortSignal.timeout(20_000) };
      return (await connection().outbound.sendText(to, { text }, options)).messageId;
    } catch (error) {
      said.push(error);
      if (!PortError.is(error)) throw error;
      if (error.code === 'Platform.RateLimited' || error.code === 'Platform.Unavailable') {
        await sleep(Math.min(error.retryAfterMs ?? 50, 3_000));
      } else if (error.code !== 'Platform.Ambiguous') throw error;
      else if (descriptor.capabilities.sendsOnce === 'none') return null;
      else if (descriptor.capabilities.sendsOnce === 'reconcile') {
        await sleep(200);
        const found = await connection().outbound.reconcile(to, key, sinceAt);
        if (found.state === 'sent') return found.messageId;
        if (found.state === 'unknown') return null;
      }
    }
  }
  throw new Error('not delivered in 20 tries');
}

function hasText(event: PlatformEvent, text: string): boolean {
  return event.kind === 'message' && event.text.includes(text);
}

function defaults(descriptor: PlatformDescriptor): SettingValues<PlatformSettings> {
  const all: PlatformSettings = { ...commonSettings, ...descriptor.settings };
  return Object.fromEntries(
    Object.entries(all).map(([name, setting]) => [name, 'default' in setting ? setting.default : null]),
  );
}

function logInto(said: unknown[]): PlatformLog {
  const line = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    void said.push({ fields, message });
  return { debug: line, info: line, warn: line };
}

/** Errors with their causes and log lines with their fields, as deep as a log would print them. */
function expectNoSecrets(said: readonly unknown[], secrets: readonly string[]): void {
  for (const one of said) {
    const printed = inspect(one, { depth: 12, showHidden: true, maxStringLength: null }) + stackOf(one);
    for (const secret of secrets) expect(printed).not.toContain(secret);
  }
}

function stackOf(value: unknown): string {
  return value instanceof Error ? `${value.stack ?? ''}${stackOf(value.cause)}` : '';
}
