import type { ConversationSettings } from '../../contracts/conversation.ts';
import type { Status } from '../../contracts/api.ts';
import { createApi, type Api } from '../../gateway/api/server.ts';
import type { EnvironmentClient } from '../../gateway/environment-client.ts';
import { createPlatformControl } from '../../gateway/platform-control.ts';
import { createRelay } from '../../gateway/relay.ts';
import { createSubmit } from '../../gateway/submit.ts';
import { createTemporalConversationClient } from '../../gateway/temporal-conversation-client.ts';
import type { StreamBus } from '../../stream/bus.ts';
import type { Core } from '../core.ts';
import { listenSomewhere } from '../listen.ts';
import { writeRunFile } from '../run-file.ts';
import { readStatus } from '../status.ts';
import type { TemporalLink } from '../temporal-link.ts';
import { version } from '../version.ts';
import type { Backends } from './backends.ts';
import { createEnvironments } from './environments.ts';
import type { Models } from './models.ts';
import { createPlatforms } from './platforms.ts';
import { promptSize } from './prompt-size.ts';

/** The owner of this installation; further people come with the chat platforms. */
const ownerId = 'owner';

/** Everything that takes messages in and brings answers out: the relay, the HTTP API and the chat platforms. */
export interface Gateway {
  start(): Promise<void>;
  /** Temporal can be reached (again). */
  nudge(): void;
  stop(): Promise<void>;
}

export interface GatewayParts {
  readonly bus: StreamBus;
  readonly models: Models;
  readonly backends: Backends;
  readonly environments: EnvironmentClient;
  readonly linked: { readonly link: TemporalLink | null };
}

export function createGateway(core: Core, parts: GatewayParts): Gateway {
  const { store, log, redact, source } = core;
  const client = createTemporalConversationClient({
    access: () => parts.linked.link,
    taskQueue: source.current().temporal.taskQueue,
    personId: ownerId,
    settings: () => conversationSettings(core),
    describeModel: () => ({ model: parts.models.gateway.describe(null).label }),
  });
  const relay = createRelay({ store, client, log, redact, intervalMs: 2_000 });
  const submit = createSubmit({ store, relay, bus: parts.bus, personId: ownerId, log });
  const status = (): Promise<Status> =>
    readStatus(core, { api: api.url(), models: parts.models, link: parts.linked.link });
  const listModels = () => parts.models.list();
  const defaultBusyMode = () => source.current().conversation.busyMode;
  const platforms = createPlatforms(core, {
    bus: parts.bus,
    client,
    relay,
    submit,
    ownerId,
    status,
    listModels,
    defaultBusyMode,
  });
  const api: Api = createApi({
    store,
    bus: parts.bus,
    client,
    submit,
    relay,
    environments: createEnvironments({
      core,
      store,
      client: parts.environments,
      backends: parts.backends,
      personId: ownerId,
    }),
    platforms: createPlatformControl({ ...platforms, isRunning: () => source.current().gateway.enabled }),
    handOff: platforms.handOff,
    personId: ownerId,
    version,
    tokenFile: core.paths.apiTokenFile,
    allowedHosts: source.current().api.allowedHosts,
    defaultBusyMode,
    status,
    promptSize: () => Promise.resolve(promptSize(source.current().agent)),
    listModels,
    log,
  });
  return {
    start: async () => {
      relay.start();
      await platforms.start();
      await listenSomewhere(api, source.current().api, log);
      writeRunFile(core.paths.run.api, { url: api.url() });
    },
    nudge: () => relay.nudge(),
    stop: async () => {
      // First what brings new things in, then what carries them on.
      await Promise.all([api.close(), platforms.stop()]);
      await relay.stop();
    },
  };
}

function conversationSettings(core: Core): Omit<ConversationSettings, 'searchAttributes'> {
  const { conversation, temporal } = core.source.current();
  return {
    busyMode: conversation.busyMode,
    idleCompleteMs: conversation.idleCompleteMinutes * 60_000,
    heartbeatTimeoutMs: temporal.heartbeatTimeoutMs,
    continueAsNewAfterEvents: conversation.continueAsNewAfterEvents,
  };
}
