import type { ModelList, Status } from '../../contracts/api.ts';
import type { BusyMode } from '../../domain/busy-mode.ts';
import { slashCommands } from '../../domain/slash-commands.ts';
import { PortError } from '../../lib/port-error.ts';
import type { ConfiguredAccount } from '../../gateway/accounts.ts';
import { createCommands } from '../../gateway/commands/create-commands.ts';
import { createHandOff, type HandOff } from '../../gateway/commands/hand-off.ts';
import { createHandoffWatcher } from '../../gateway/commands/handoff-watcher.ts';
import { createHomeOf } from '../../gateway/commands/homes.ts';
import { createLinks } from '../../gateway/commands/links.ts';
import { accountsSetUp, configuredAccounts } from '../../gateway/configured-accounts.ts';
import { createConnections, type Connections } from '../../gateway/connections.ts';
import type { ConversationClient } from '../../gateway/conversation-client.ts';
import { createDecide } from '../../gateway/decide.ts';
import { createInbound } from '../../gateway/inbound/inbound.ts';
import { createPairing, type Pairing } from '../../gateway/inbound/pairing.ts';
import { createOutbound, type Outbound } from '../../gateway/outbound/outbound.ts';
import type { Relay } from '../../gateway/relay.ts';
import type { Submit } from '../../gateway/submit.ts';
import type { StreamBus } from '../../stream/bus.ts';
import type { Core } from '../core.ts';
import { createVoice, type Voice } from './voice.ts';

export interface PlatformParts {
  readonly bus: StreamBus;
  readonly client: ConversationClient;
  readonly relay: Relay;
  readonly submit: Submit;
  readonly ownerId: string;
  status(): Promise<Status>;
  listModels(): Promise<ModelList>;
  defaultBusyMode(): BusyMode;
}

/** The chat platforms: connections, what comes in over them and what goes out. */
export interface Platforms {
  readonly connections: Connections;
  readonly outbound: Outbound;
  readonly pairing: Pairing;
  readonly handOff: HandOff;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createPlatforms(core: Core, parts: PlatformParts): Platforms {
  const { store, redact, log, source } = core;
  const { bus, ownerId } = parts;
  const settings = () => source.current();
  const conversationScope = () => settings().conversation.scope;
  const accounts = (): Connections => connections;
  const voice = createVoice(core);
  const setUp = () => accountsSetUp(settings());
  const home = createHomeOf({ store, configuredHome: (account) => homeIn(setUp(), account) });
  const outbound = createOutbound({
    store,
    bus,
    accounts,
    settings: () => settings().gateway,
    redact,
    log,
    setUp: () => setUp().map(({ id, descriptor }) => ({ id, capabilities: descriptor.capabilities })),
    home,
    speechFor: async (conversationId) =>
      (await store.spokenConversations.has(conversationId)) ? speechOf(voice) : null,
  });
  const shared = { store, outbox: outbound, accounts, conversationScope, redact };
  const pairing = createPairing({ store, outbox: outbound, ownerId });
  const links = createLinks({ store, outbox: outbound, now: Date.now });
  const inbound = createInbound({
    store,
    submit: parts.submit,
    decide: createDecide({ store, relay: parts.relay, bus }),
    runCommand: createCommands({
      ...shared,
      ...parts,
      canSpeak: () => voice.speaker() !== null,
      now: Date.now,
      log,
    }),
    outbox: outbound,
    pairing,
    ownerId,
    account: (id) => configuredAccounts(settings()).find((one) => one.id === id),
    connection: (id) => connections.get(id)?.connection,
    buttonOf: (...press) => outbound.buttonOf(...press),
    transcribe: () => transcriptionOf(voice),
    showTranscript: () => voice.showsTranscript(),
    burstPauseMs: () => settings().gateway.burstPauseMs,
    scope: conversationScope,
    onGone: (account, chat, reason) => outbound.chatGone({ account, chat: chat.id }, reason),
    linkStranger: (...of) => links.redeemAsStranger(...of),
    log,
  });
  const connections = createConnections({
    accounts: () => configuredAccounts(settings()),
    inbox: (id) => inbound.inbox(id),
    backlog: (id) => outbound.backlog(id),
    commands: slashCommands.filter(({ where }) => where !== 'terminal'),
    onConnected: () => {
      inbound.nudge();
      outbound.nudge();
    },
    redact,
    log,
  });
  const handoffs = createHandoffWatcher({ store, bus, redact, log });
  return {
    connections,
    outbound,
    pairing,
    handOff: createHandOff(shared),
    start: async () => {
      await inbound.start();
      outbound.start();
      handoffs.start();
      connections.start();
    },
    stop: async () => {
      // Sends under way end while there are connections to send over.
      await outbound.stop();
      await connections.stop();
      await Promise.all([inbound.stop(), handoffs.stop()]);
    },
  };
}

function homeIn(accounts: readonly ConfiguredAccount[], account: string): string | null {
  return accounts.find(({ id }) => id === account)?.conduct.home ?? null;
}

function transcriptionOf(voice: Voice) {
  const transcribe = voice.transcriber();
  if (transcribe === null) return null;
  return (file: { readonly bytes: Buffer; readonly name: string; readonly mediaType: string }, signal: AbortSignal) =>
    transcribe(
      { name: file.name, mediaType: file.mediaType, content: file.bytes, sizeBytes: file.bytes.length },
      signal,
    );
}

function speechOf(voice: Voice) {
  const speak = voice.speaker();
  if (speak === null) return null;
  return async (text: string, signal: AbortSignal) => {
    try {
      return { bytes: await speak(text, signal), mediaType: 'audio/ogg' };
    } catch (error) {
      // The text itself is sent in any case.
      if (PortError.is(error)) return null;
      throw error;
    }
  };
}
