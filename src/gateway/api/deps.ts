import type { BaseLogger } from 'pino';
import type { ModelList, PromptSize, Status } from '../../contracts/api.ts';
import type { BusyMode } from '../../domain/busy-mode.ts';
import type { Store } from '../../store/ports.ts';
import type { StreamBus } from '../../stream/bus.ts';
import type { HandOff } from '../commands/hand-off.ts';
import type { ConversationClient } from '../conversation-client.ts';
import type { Environments } from '../environments.ts';
import type { PlatformControl } from '../platform-control.ts';
import type { Relay } from '../relay.ts';
import type { Submit } from '../submit.ts';

/** What the HTTP API is made of; the composition root fills it in. */
export interface ApiDeps {
  readonly store: Store;
  readonly bus: StreamBus;
  readonly client: ConversationClient;
  readonly submit: Submit;
  readonly relay: Relay;
  readonly environments: Environments;
  readonly platforms: PlatformControl;
  /** Absent where there are no chat platforms. */
  readonly handOff?: HandOff;
  /** Whose agent this is. */
  readonly personId: string;
  readonly version: string;
  /** Made if missing. */
  readonly tokenFile: string;
  /** Host names the API answers to beside the loopback ones. */
  readonly allowedHosts: readonly string[];
  readonly maxBodyBytes?: number;
  /** What a conversation does with a message while a turn runs, where it has no mode of its own. */
  defaultBusyMode(): BusyMode;
  status(): Promise<Status>;
  promptSize(): Promise<PromptSize>;
  /** May reject with a PortError `Model.*`. */
  listModels(): Promise<ModelList>;
  readonly log: BaseLogger;
}

/** What routes get: the deps, and what ends with the server. */
export interface ApiContext extends ApiDeps {
  /** Aborted when the server closes, so that streams and waits end. */
  readonly closing: AbortSignal;
}
