import { Readable } from 'node:stream';
import { onTestFinished, vi } from 'vitest';
import type { AccountConduct, ConfiguredAccount, OutboxWriter } from '../../../../../src/gateway/accounts.ts';
import { createDecide } from '../../../../../src/gateway/decide.ts';
import type { InboundDeps } from '../../../../../src/gateway/inbound/deps.ts';
import { createInbound } from '../../../../../src/gateway/inbound/inbound.ts';
import { createPairing } from '../../../../../src/gateway/inbound/pairing.ts';
import type { CommandCall, CommandOutcome } from '../../../../../src/gateway/inbound/speaker.ts';
import type {
  PlatformCapabilities,
  PlatformChat,
  PlatformConnection,
  PlatformDescriptor,
  PlatformEvent,
  PlatformFile,
} from '../../../../../src/gateway/platforms/platform.ts';
import { openGateway } from '../../support/gateway.ts';

export const soon = { timeout: 5_000, interval: 5 };
export const account = 'telegram';
export const annaChat: PlatformChat = { id: '70', kind: 'direct' };
export const group: PlatformChat = { id: '-1', kind: 'group', title: 'Garden' };

const capabilities: PlatformCapabilities = {
  text: { max: 4096, unit: 'utf16' },
  dialect: 'plain',
  edits: true,
  paceMs: { chat: 0, account: 0 },
  buttons: 8,
  typingMs: null,
  threads: true,
  commands: 'native',
  files: { sendBytes: 1_000, receiveBytes: 1_000, captionMax: 100 },
  voiceNotes: true,
  sendsOnce: 'none',
};

/** A connection whose files and faults the test says. */
export class ScriptedConnection {
  readonly files = new Map<string, Buffer>();
  readonly acknowledged: string[] = [];
  /** References in the order they were asked for. */
  readonly fetched: string[] = [];
  fetch: PlatformConnection['fetchFile'] | null = null;

  /** Puts a file there and describes it as an event does. */
  file(name: string, bytes: Buffer | string, more: Partial<PlatformFile> = {}): PlatformFile {
    this.files.set(name, Buffer.from(bytes));
    return {
      kind: 'document',
      name,
      mediaType: 'text/plain',
      sizeBytes: Buffer.from(bytes).length,
      reference: name,
      ...more,
    };
  }

  asConnection(): PlatformConnection {
    return {
      outbound: {
        acknowledgeButton: (_event: unknown, text: string) => {
          this.acknowledged.push(text);
          return Promise.resolve();
        },
      } as Partial<PlatformConnection['outbound']> as PlatformConnection['outbound'],
      fetchFile: (reference, signal) => {
        const name = typeof reference === 'string' ? reference : '';
        this.fetched.push(name);
        if (this.fetch !== null) return this.fetch(reference, signal);
        const bytes = this.files.get(name) ?? Buffer.alloc(0);
        return Promise.resolve({ stream: Readable.from([bytes]), sizeBytes: bytes.length });
      },
    } as Partial<PlatformConnection> as PlatformConnection;
  }
}

export type Sent = Parameters<OutboxWriter['enqueue']>[0];

/** Inbound over a real store, with one account and everything beyond it recorded. */
export async function openInbound(
  options: {
    conduct?: Partial<AccountConduct>;
    capabilities?: Partial<PlatformCapabilities>;
    deps?: Partial<InboundDeps>;
    start?: boolean;
    /** Of an earlier one, which this one takes over from. */
    gateway?: Awaited<ReturnType<typeof openGateway>>;
  } = {},
) {
  const gateway = options.gateway ?? (await openGateway({ start: false }));
  const { store, relay, bus, submit, log } = gateway;
  const conduct = {
    owner: ['7'],
    allow: [],
    admins: [],
    groups: [],
    strangers: 'pair',
    home: null,
    ...options.conduct,
  };
  const descriptor = { id: account, capabilities: { ...capabilities, ...options.capabilities } };
  const configured = {
    id: account,
    descriptor: descriptor as Partial<PlatformDescriptor> as PlatformDescriptor,
    settings: {},
    conduct: conduct as AccountConduct,
  } as ConfiguredAccount;
  const connection = new ScriptedConnection();
  const sent = new Map<string, Sent>();
  const outbox: OutboxWriter = {
    enqueue: (message) => {
      if (!sent.has(message.key)) sent.set(message.key, message);
      return Promise.resolve();
    },
  };
  const commands: CommandCall[] = [];
  const outcome = { next: { text: 'done' } as CommandOutcome };
  const pairing = createPairing({ store, outbox, ownerId: 'anna' });
  const deps: InboundDeps = {
    store,
    submit,
    decide: createDecide({ store, relay, bus }),
    runCommand: (call) => {
      commands.push(call);
      return Promise.resolve(outcome.next);
    },
    outbox,
    pairing,
    ownerId: 'anna',
    account: (id) => (id === account ? configured : undefined),
    connection: () => connection.asConnection(),
    buttonOf: () => Promise.resolve(null),
    transcribe: () => null,
    showTranscript: () => false,
    burstPauseMs: () => 0,
    scope: () => 'person',
    onGone: () => Promise.resolve(),
    log,
    ...options.deps,
    times: { firstPauseMs: 5, longestPauseMs: 20, transcriptionPauseMs: 1, ...options.deps?.times },
  };
  const inbound = createInbound(deps);
  if (options.start !== false) await inbound.start();
  onTestFinished(() => inbound.stop());
  const inbox = inbound.inbox(account);
  return {
    ...gateway,
    deps,
    inbound,
    inbox,
    connection,
    configured,
    commands,
    outcome,
    pairing,
    /** What the gateway itself says, in order. */
    said: () => [...sent.values()].map(({ text }) => text),
    sent: () => [...sent.values()],
    /** What conversations were given, in order. */
    given: async () => store.inbox.unsignalled(1_000),
    texts: async () => (await store.inbox.unsignalled(1_000)).map(({ text }) => text),
    /** Resolves when nothing is left to process. */
    idle: () => vi.waitFor(async () => nothingOpen(await store.platformEvents.openLanes([], 1)), soon),
  };
}

function nothingOpen(lanes: readonly string[]): void {
  if (lanes.length > 0) throw new Error(`still open: ${lanes.join(' ')}`);
}

let counter = 0;

/** A message of Anna in her direct chat, unless said otherwise. */
export function message(text: string, more: Partial<Extract<PlatformEvent, { kind: 'message' }>> = {}): PlatformEvent {
  counter += 1;
  const key = more.key ?? `update/${String(counter)}`;
  return {
    kind: 'message',
    key,
    chat: annaChat,
    sender: { id: '7', name: 'Anna' },
    at: new Date().toISOString(),
    text,
    messageId: `m-${key}`,
    addressed: true,
    files: [],
    ...more,
  };
}

export function command(name: string, args = '', more: Partial<PlatformEvent> = {}): PlatformEvent {
  const { chat, sender, at, key } = message('');
  return { chat, sender, at, key, ...more, kind: 'command', name, args };
}

export function press(data: string, more: Partial<PlatformEvent> = {}): PlatformEvent {
  const { chat, sender, at, key } = message('');
  return { chat, sender, at, key, messageId: 'm-1', ...more, kind: 'button', data };
}

export const stranger = { id: '99', name: 'Eve' };
