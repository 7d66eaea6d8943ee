import type { BaseLogger } from 'pino';
import type { BusyMode } from '../domain/busy-mode.ts';
import type { ConversationRow, Store } from '../store/ports.ts';
import type { ConversationClient } from './conversation-client.ts';

/** What is left out stays as it is. */
export interface ConversationChange {
  readonly title?: string | undefined;
  readonly name?: string | null | undefined;
  readonly busyMode?: BusyMode | null | undefined;
  /** `provider:name`; null: the configured one. */
  readonly model?: string | null | undefined;
}

export interface ConfigureDeps {
  readonly store: Store;
  readonly client: ConversationClient;
  /** What a conversation does with a message while a turn runs, where it has no mode of its own. */
  readonly defaultBusyMode: () => BusyMode;
  readonly log: BaseLogger;
}

/** Changes a conversation, in the store and where it runs. Rejects as the store does. */
export async function configureConversation(
  deps: ConfigureDeps,
  id: string,
  { title, name, busyMode, model }: ConversationChange,
): Promise<ConversationRow> {
  const row = await deps.store.conversations.update(id, {
    ...(title === undefined ? {} : { title }),
    ...(name === undefined ? {} : { name }),
    ...(busyMode === undefined ? {} : { busyMode }),
    ...(model === undefined ? {} : { model }),
  });
  if (title !== undefined || busyMode !== undefined) tellWorkflow(deps, row);
  return row;
}

/** The store has the change; a workflow that cannot be told now reads it when it next starts. */
function tellWorkflow(deps: ConfigureDeps, row: ConversationRow): void {
  const change = { title: row.title, busyMode: row.busyMode ?? deps.defaultBusyMode() };
  deps.client.configure(row.id, change).catch((err: unknown) => {
    deps.log.warn({ conversationId: row.id, err }, 'a running conversation could not be told of its new settings');
  });
}
