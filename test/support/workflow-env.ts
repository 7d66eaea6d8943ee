import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { NativeConnection, type Worker } from '@temporalio/worker';
import type {
  ConversationActivities,
  InvokeModelInput,
  ModelStepOutcome,
  PlannedToolCall,
} from '../../src/contracts/activities.ts';
import type { ConversationSettings, InboundEnvelope } from '../../src/contracts/conversation.ts';
import { createTemporalConversationClient } from '../../src/gateway/temporal-conversation-client.ts';
import type { ConversationClient } from '../../src/gateway/conversation-client.ts';
import { bundleWorkflows } from '../../src/workers/bundle.ts';
import { createWorker } from '../../src/workers/run-worker.ts';
import './quiet-runtime.ts';
import { startTestTemporal, type TestTemporal } from './temporal-server.ts';

const usage = { inputTokens: 10, outputTokens: 5, costUsd: 0.001, model: 'test' };
let bundle: Promise<string> | undefined;

/** Real Temporal and the real workflow code; activities are scripted per test. */
export class WorkflowEnv {
  readonly temporal: TestTemporal;
  readonly client: Client;
  readonly connection: NativeConnection;
  readonly taskQueue = `test-${randomUUID()}`;
  readonly conversations: ConversationClient;
  private worker: { readonly worker: Worker; readonly running: Promise<void> } | null = null;

  private constructor(
    temporal: TestTemporal,
    connection: NativeConnection,
    settings: Partial<ConversationSettings>,
    server: { readonly searchAttributes: boolean },
  ) {
    this.temporal = temporal;
    this.connection = connection;
    this.client = new Client({ connection, namespace: temporal.namespace });
    this.conversations = createTemporalConversationClient({
      access: () => ({ client: this.client, ...server }),
      taskQueue: this.taskQueue,
      personId: 'owner',
      settings: () => ({
        busyMode: 'steer',
        idleCompleteMs: 60_000,
        heartbeatTimeoutMs: 2_000,
        continueAsNewAfterEvents: 1_000,
        ...settings,
      }),
    });
  }

  static async create(
    temporal: TestTemporal,
    settings: Partial<ConversationSettings> = {},
    server = { searchAttributes: true },
  ): Promise<WorkflowEnv> {
    return new WorkflowEnv(temporal, await NativeConnection.connect({ address: temporal.address }), settings, server);
  }

  /** @param maxCachedWorkflows 0 replays the whole history at every workflow task. */
  async startWorker(activities: Partial<ConversationActivities>, maxCachedWorkflows?: number): Promise<void> {
    bundle ??= bundleWorkflows();
    const worker = await createWorker({
      link: {
        connection: this.connection,
        client: this.client,
        namespace: this.temporal.namespace,
        searchAttributes: true,
        address: this.temporal.address,
      },
      taskQueue: this.taskQueue,
      activities: { ...unscripted, ...activities },
      workflowBundle: { code: await bundle },
      drainMs: 1_000,
      ...(maxCachedWorkflows === undefined ? {} : { maxCachedWorkflows }),
    });
    this.worker = { worker, running: worker.run() };
  }

  async stopWorker(): Promise<void> {
    if (this.worker === null) return;
    const { worker, running } = this.worker;
    this.worker = null;
    worker.shutdown();
    await running;
  }

  async send(
    conversationId: string,
    inboundId: string,
    more: Pick<Partial<InboundEnvelope>, 'busyMode' | 'replyTo'> = {},
  ) {
    await this.conversations.inbound(
      conversationId,
      { inboundId, receivedAt: new Date().toISOString(), platform: 'cli', preview: inboundId, ...more },
      { fresh: true },
    );
  }

  async close(): Promise<void> {
    await this.stopWorker();
    await this.connection.close();
  }
}

export { startTestTemporal };

export const final = (preview = 'done'): ModelStepOutcome => ({ kind: 'final', usage, preview, title: 'A title' });

export const tools = (...calls: PlannedToolCall[]): ModelStepOutcome => ({
  kind: 'tools',
  usage,
  preview: '',
  calls,
});

/** A call of a step as the model activity would plan it. */
export function planned(input: InvokeModelInput, index: number, more: Partial<PlannedToolCall> = {}): PlannedToolCall {
  const callKey = `${input.conversationId}/${String(input.turn)}/${String(input.step)}/${String(index)}`;
  return { callKey, index, name: 'tool', summary: 'tool', effect: 'read', timeoutMs: 10_000, ...more };
}

const unexpected = (name: string) => (): never => {
  throw new Error(`${name} was not expected`);
};

const unscripted: ConversationActivities = {
  loadConversation: () =>
    Promise.resolve({ lastTurn: 0, title: '', usage: { inputTokens: 0, outputTokens: 0, costUsd: 0 } }),
  invokeModel: unexpected('invokeModel'),
  executeTool: unexpected('executeTool'),
  finaliseTurn: () => Promise.resolve(),
  deliverMessage: unexpected('deliverMessage'),
};
