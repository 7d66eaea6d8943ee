import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type {
  ConversationActivities,
  ExecuteToolResult,
  InvokeModelInput,
  PlannedToolCall,
} from '../../src/contracts/activities.ts';
import type { ConversationSettings } from '../../src/contracts/conversation.ts';
import { conversationWorkflowId } from '../../src/contracts/workflow-ids.ts';
import { until } from '../support/installation.ts';
import { final, planned, tools, type WorkflowEnv } from '../support/workflow-env.ts';

/** What a conversation goes through while its history is recorded. */
export interface Scenario {
  readonly settings?: Partial<ConversationSettings>;
  activities(talk: Talk): Partial<ConversationActivities>;
  run(talk: Talk): Promise<void>;
}

/** One conversation of a scenario. */
export class Talk {
  readonly id = `c-${randomUUID()}`;
  readonly env: WorkflowEnv;
  /** Activities that began, in order. */
  readonly begun: string[] = [];

  constructor(env: WorkflowEnv) {
    this.env = env;
  }

  async say(inboundId: string, more: Parameters<WorkflowEnv['send']>[2] = {}): Promise<void> {
    await this.env.send(this.id, inboundId, more);
  }

  async decide(approvalId: string, decision: 'approve' | 'deny'): Promise<void> {
    await this.env.conversations.decide(this.id, { approvalId, decision, by: 'cli' });
  }

  async waiting(): Promise<void> {
    await until('a question', async () => (await this.snapshot())?.waiting.length === 1);
  }

  async turns(count: number): Promise<void> {
    await until(`${String(count)} turns`, async () => (await this.snapshot())?.turnsInRun === count);
  }

  /** Id of the question the first call of turn 1 asks. */
  get firstAsk(): string {
    return `ask:${this.id}/1/1/0`;
  }

  /** The question of the machine for commands that a call of turn 1 comes back with. */
  get machineAsk(): NonNullable<ExecuteToolResult['ask']> {
    return { approvalId: `ask:${this.id}/1/1/0/terminal/0`, kind: 'approval', title: 'trust it?' };
  }

  async runId(): Promise<string> {
    return (await this.env.client.workflow.getHandle(conversationWorkflowId(this.id)).describe()).runId;
  }

  async completed(): Promise<void> {
    await this.env.client.workflow.getHandle(conversationWorkflowId(this.id)).result();
  }

  private snapshot(): ReturnType<WorkflowEnv['conversations']['snapshot']> {
    return this.env.conversations.snapshot(this.id);
  }
}

const ok = { status: 'ok', preview: 'done', durationMs: 1 } as const;
const answer = (): Pick<ConversationActivities, 'invokeModel'> => ({ invokeModel: () => Promise.resolve(final()) });

/** The given calls in the first step, an answer after it. */
const callThenAnswer = (
  ...calls: readonly Partial<PlannedToolCall>[]
): Pick<ConversationActivities, 'invokeModel' | 'executeTool'> => ({
  invokeModel: (input: InvokeModelInput) =>
    Promise.resolve(input.step === 1 ? tools(...calls.map((call, index) => planned(input, index, call))) : final()),
  executeTool: () => Promise.resolve(ok),
});

const askFirst = (talk: Talk): Pick<ConversationActivities, 'invokeModel' | 'executeTool'> =>
  callThenAnswer({ effect: 'once', ask: { approvalId: talk.firstAsk, kind: 'approval', title: 'really?' } });

/** Scenario name to what happens in it; the name is part of the file's. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'plain-turn': {
    activities: answer,
    run: async (talk) => {
      await talk.say('a');
      await talk.turns(1);
    },
  },
  'steered-turn-with-tools': {
    activities: (talk) => {
      const calls = callThenAnswer({}, {}, { effect: 'idempotent' }, { effect: 'attachable' });
      return {
        ...calls,
        executeTool: async ({ callKey }) => {
          if (callKey.endsWith('/1/3')) await talk.say('b');
          return ok;
        },
      };
    },
    run: async (talk) => {
      await talk.say('a');
      await talk.turns(1);
    },
  },
  'approval-approved': {
    activities: askFirst,
    run: async (talk) => {
      await talk.say('a');
      await talk.waiting();
      await talk.decide(talk.firstAsk, 'approve');
      await talk.turns(1);
    },
  },
  'approval-refused-by-message': {
    activities: askFirst,
    run: async (talk) => {
      await talk.say('a');
      await talk.waiting();
      await talk.say('b');
      await talk.turns(1);
    },
  },
  'interrupted-turn': {
    activities: (talk) => ({
      ...callThenAnswer({ effect: 'attachable' }),
      executeTool: async () => {
        talk.begun.push('executeTool');
        await untilStopped();
        return { status: 'cancelled', preview: 'stopped', durationMs: 1 };
      },
    }),
    run: async (talk) => {
      await talk.say('a');
      await until('the tool', () => talk.begun.length === 1);
      await talk.env.conversations.interrupt(talk.id, { by: 'cli' });
      await talk.turns(1);
    },
  },
  'cancelled-from-outside': {
    activities: (talk) => ({
      invokeModel: async () => {
        talk.begun.push('invokeModel');
        await untilStopped();
        return { kind: 'interrupted', usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, model: '' } };
      },
    }),
    run: async (talk) => {
      await talk.say('a');
      await until('the model', () => talk.begun.length === 1);
      await talk.env.client.workflow.getHandle(conversationWorkflowId(talk.id)).cancel();
      await talk.completed();
    },
  },
  'question-while-a-tool-runs': {
    activities: (talk) => ({
      ...callThenAnswer({ effect: 'attachable' }, { effect: 'idempotent' }),
      executeTool: ({ terminalDecision }) =>
        Promise.resolve(
          terminalDecision === undefined
            ? { status: 'ask', preview: '', durationMs: 0, ask: talk.machineAsk }
            : { ...ok, preview: terminalDecision.decision },
        ),
    }),
    run: async (talk) => {
      await talk.say('a');
      await talk.waiting();
      await talk.decide(talk.machineAsk.approvalId, 'approve');
      await talk.turns(1);
    },
  },
  'budget-granted': {
    activities: (talk) => ({
      invokeModel: ({ budgetGrants }) =>
        Promise.resolve(
          budgetGrants === 0
            ? { kind: 'budget', approvalId: `ask:${talk.id}/1/budget/steps/0`, title: 'Go on?' }
            : final(),
        ),
    }),
    run: async (talk) => {
      await talk.say('a');
      await talk.waiting();
      await talk.decide(`ask:${talk.id}/1/budget/steps/0`, 'approve');
      await talk.turns(1);
    },
  },
  'continue-as-new': {
    settings: { continueAsNewAfterEvents: 5 },
    activities: answer,
    run: async (talk) => {
      await talk.say('a');
      const first = await talk.runId();
      await until('a new run', async () => (await talk.runId()) !== first);
      await talk.say('b');
      const second = await talk.runId();
      await until('another run', async () => (await talk.runId()) !== second);
      // A run that has not begun yet has nothing to replay.
      await talk.turns(0);
    },
  },
  'idle-completion': {
    settings: { idleCompleteMs: 300 },
    activities: answer,
    run: async (talk) => {
      await talk.say('a');
      await talk.completed();
    },
  },
  'failed-model-step': {
    activities: () => ({
      invokeModel: () => Promise.reject(ApplicationFailure.nonRetryable('the key is refused', 'Model.Authentication')),
    }),
    run: async (talk) => {
      await talk.say('a');
      await talk.turns(1);
    },
  },
  'failed-call-beside-a-question': {
    activities: (talk) => ({
      ...callThenAnswer(
        { effect: 'once', ask: { approvalId: talk.firstAsk, kind: 'approval', title: 'really?' } },
        { effect: 'idempotent' },
        { effect: 'idempotent' },
      ),
      executeTool: async () => {
        await talk.waiting();
        throw ApplicationFailure.nonRetryable('the disk is gone', 'Storage.Damaged');
      },
    }),
    run: async (talk) => {
      await talk.say('a');
      await talk.turns(1);
    },
  },
  'delivered-answer-and-question': {
    activities: (talk) => ({
      ...askFirst(talk),
      deliverMessage: ({ what }) => {
        talk.begun.push(what.kind);
        return Promise.resolve({ state: 'sent', preview: 'done' });
      },
    }),
    run: async (talk) => {
      await talk.say('a', { replyTo: { platform: 'telegram', chat: '1' } });
      await until('the question', () => talk.begun.length === 1);
      await talk.decide(talk.firstAsk, 'approve');
      await talk.turns(1);
    },
  },
};

/** Runs under heartbeats until it is told to stop. */
async function untilStopped(): Promise<void> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), 100);
  try {
    await new Promise<void>((resolve) => {
      context.cancellationSignal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    clearInterval(timer);
  }
}
