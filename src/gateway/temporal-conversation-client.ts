import {
  isGrpcServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import {
  messageNames,
  type ConversationInput,
  type ConversationSettings,
  type ConversationSnapshot,
  type DecideResult,
  type InboundEnvelope,
  type InterruptResult,
} from '../contracts/conversation.ts';
import { conversationWorkflowId, workflowTypes } from '../contracts/workflow-ids.ts';
import { PortError } from '../lib/port-error.ts';
import { searchAttributeNames } from '../contracts/search-attributes.ts';
import type { ConversationClient } from './conversation-client.ts';

/** What the client needs of Temporal; absent while there is no connection. */
export interface TemporalAccess {
  readonly client: Client;
  readonly searchAttributes: boolean;
}

export interface ConversationClientOptions {
  readonly access: () => TemporalAccess | null;
  readonly taskQueue: string;
  readonly personId: string;
  readonly settings: () => Omit<ConversationSettings, 'searchAttributes'>;
  /** The model that will answer, for the summaries a person reads. */
  readonly describeModel?: () => { readonly model: string };
}

/**
 * A dead worker's workflow task is given up after this long; the server's default of 10 s would be felt after every kill.
 */
const workflowTaskTimeoutMs = 3_000;
/** An update needs a live worker; with none the caller is told, and the relay tries again. */
const updateTimeoutMs = 8_000;
const rpcTimeoutMs = 10_000;

/** Reaches conversation workflows through a Temporal client. */
export function createTemporalConversationClient(options: ConversationClientOptions): ConversationClient {
  const connected = (): TemporalAccess => {
    const access = options.access();
    if (access === null) throw unavailable('Temporal is not connected yet');
    return access;
  };
  const handleOf = (conversationId: string): WorkflowHandle =>
    connected().client.workflow.getHandle(conversationWorkflowId(conversationId));

  return {
    inbound: (conversationId, envelope, start) =>
      translated(async () => {
        const { client, searchAttributes } = connected();
        const input: ConversationInput = {
          schemaVersion: 1,
          conversationId,
          settings: { ...options.settings(), searchAttributes },
          ...(start?.fresh === true ? { fresh: true } : {}),
        };
        await client.withDeadline(Date.now() + rpcTimeoutMs, () =>
          client.workflow.signalWithStart(workflowTypes.conversation, {
            workflowId: conversationWorkflowId(conversationId),
            taskQueue: options.taskQueue,
            args: [input],
            signal: messageNames.inbound,
            // The person's setting may have changed since the workflow started; each message carries today's.
            signalArgs: [
              { ...envelope, busyMode: envelope.busyMode ?? input.settings.busyMode, ...options.describeModel?.() },
            ],
            workflowTaskTimeout: workflowTaskTimeoutMs,
            staticSummary: start?.title ?? envelope.preview,
            memo: { person: start?.personId ?? options.personId, platform: envelope.platform },
            ...(searchAttributes
              ? { typedSearchAttributes: attributesOf(start?.personId ?? options.personId, envelope) }
              : {}),
          }),
        );
      }),
    interrupt: (conversationId, request) =>
      translated(
        () => update<InterruptResult>(connected(), handleOf(conversationId), messageNames.interrupt, request),
        { interrupted: false, turn: null },
      ),
    decide: (conversationId, request) =>
      translated(() => update<DecideResult>(connected(), handleOf(conversationId), messageNames.decide, request), {
        accepted: false,
      }),
    configure: async (conversationId, request) => {
      await translated(
        () => update<boolean>(connected(), handleOf(conversationId), messageNames.configure, request),
        false,
      );
    },
    snapshot: (conversationId) =>
      translated(async () => {
        const handle = handleOf(conversationId);
        // A query is answered by closed runs too, whose state says nothing of now.
        const { status } = await handle.describe();
        if (status.name !== 'RUNNING') return null;
        return handle.query<ConversationSnapshot>(messageNames.snapshot);
      }, null),
  };
}

async function update<Result>(
  { client }: TemporalAccess,
  handle: WorkflowHandle,
  name: string,
  request: unknown,
): Promise<Result> {
  return client.withDeadline(Date.now() + updateTimeoutMs, () =>
    handle.executeUpdate<Result, [unknown]>(name, { args: [request] }),
  );
}

const personAttribute = defineSearchAttributeKey(searchAttributeNames.person, SearchAttributeType.KEYWORD);
const platformAttribute = defineSearchAttributeKey(searchAttributeNames.platform, SearchAttributeType.KEYWORD);
const stateAttribute = defineSearchAttributeKey(searchAttributeNames.state, SearchAttributeType.KEYWORD);

function attributesOf(personId: string, envelope: InboundEnvelope): TypedSearchAttributes {
  return new TypedSearchAttributes([
    { key: personAttribute, value: personId },
    { key: platformAttribute, value: envelope.platform },
    { key: stateAttribute, value: 'active' },
  ]);
}

/** Makes every failure a PortError. `gone` is the answer for a conversation that does not run. */
async function translated<T>(work: () => Promise<T>, gone?: T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (PortError.is(error)) throw error;
    if (error instanceof WorkflowNotFoundError && gone !== undefined) return gone;
    if (error instanceof WorkflowUpdateFailedError) {
      throw new PortError('Internal.Invariant', error.cause?.message ?? error.message, { cause: error });
    }
    if (isGrpcServiceError(error)) throw unavailable(error.message, error);
    throw unavailable(error instanceof Error ? error.message : String(error), error);
  }
}

function unavailable(message: string, cause?: unknown): PortError {
  return new PortError('Storage.Unavailable', `Temporal cannot be reached: ${message}`, { cause });
}
