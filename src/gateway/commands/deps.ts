import type { ModelList, Status } from '../../contracts/api.ts';
import type { StreamBus } from '../../stream/bus.ts';
import type { Accounts, OutboxWriter } from '../accounts.ts';
import type { ConfigureDeps } from '../configure.ts';
import type { CommandCall, CommandOutcome } from '../inbound/speaker.ts';
import type { Relay } from '../relay.ts';

/** What commands are made of; the composition root fills it in. */
export interface CommandDeps extends ConfigureDeps {
  readonly relay: Relay;
  readonly bus: StreamBus;
  readonly outbox: OutboxWriter;
  readonly accounts: () => Accounts;
  /** `conversation.scope`. */
  readonly conversationScope: () => 'person' | 'platform';
  /** Whether answers can be spoken here at all (`voice.speech.enabled`). */
  readonly canSpeak: () => boolean;
  readonly status: () => Promise<Status>;
  /** May reject with a PortError `Model.*`. */
  readonly listModels: () => Promise<ModelList>;
  /** Takes secrets out of what is shown. */
  readonly redact: (text: string) => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Carries out one command; a string is Markdown for the chat. Rejects as RunCommand does. */
export type CommandHandler = (deps: CommandDeps, call: CommandCall) => Promise<CommandOutcome | string>;
