import { randomUUID } from 'node:crypto';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FinaliseTurnInput, InvokeModelInput } from '../../src/contracts/activities.ts';
import { conversationWorkflowId } from '../../src/contracts/workflow-ids.ts';
import { until } from '../support/installation.ts';
import { final, planned, startTestTemporal, tools, WorkflowEnv } from '../support/workflow-env.ts';
import type { TestTemporal } from '../support/temporal-server.ts';

let temporal: TestTemporal;
let env: WorkflowEnv;

beforeAll(async () => {
  temporal = await startTestTemporal();
});
afterAll(async () => {
  await temporal.stop();
});
afterEach(async () => {
  await env.close();
});

const newId = (): string => `c-${randomUUID()}`;

/** An activity that runs until it is cancelled. */
async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), 100);
  try {
    await context.cancelled;
    throw new Error('unreachable');
  } finally {
    clearInterval(timer);
  }
}

describe.each([
  ['with a warm cache', undefined],
  ['replaying at every task', 0],
] as const)('a conversation %s', (_, cache) => {
  it('runs a turn per message and counts them', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    const seen: InvokeModelInput[] = [];
    await env.startWorker(
      {
        invokeModel: (input) => {
          seen.push(input);
          return Promise.resolve(final());
        },
      },
      cache,
    );
    await env.send(id, 'a');
    await until('the first turn', () => seen.length === 1);
    await env.send(id, 'b');
    await until('the second turn', () => seen.length === 2);
    expect(seen.map(({ turn, step, inboundIds }) => ({ turn, step, inboundIds }))).toEqual([
      { turn: 1, step: 1, inboundIds: ['a'] },
      { turn: 2, step: 1, inboundIds: ['b'] },
    ]);
  });

  it('takes the same inbound id once, also across continue-as-new', async () => {
    env = await WorkflowEnv.create(temporal, { continueAsNewAfterEvents: 5 });
    const id = newId();
    const turns: number[] = [];
    await env.startWorker(
      {
        invokeModel: (input) => {
          turns.push(input.turn);
          return Promise.resolve(final());
        },
      },
      cache,
    );
    await env.send(id, 'a');
    await until('the first turn', () => turns.length === 1);
    const first = (await env.client.workflow.getHandle(conversationWorkflowId(id)).describe()).runId;
    await until('a new run', async () => {
      const now = await env.client.workflow.getHandle(conversationWorkflowId(id)).describe();
      return now.runId !== first && now.status.name === 'RUNNING';
    });
    await env.send(id, 'a');
    await env.send(id, 'b');
    await until('the second turn', () => turns.length === 2);
    expect(turns).toEqual([1, 2]);
  });

  it('lets a steering message into the next step', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    const seen: (readonly string[])[] = [];
    await env.startWorker(
      {
        invokeModel: (input) => {
          seen.push(input.inboundIds);
          return Promise.resolve(input.step === 1 ? tools(planned(input, 0)) : final());
        },
        executeTool: async () => {
          await env.send(id, 'b');
          return { status: 'ok', preview: '', durationMs: 1 };
        },
      },
      cache,
    );
    await env.send(id, 'a');
    await until('two steps', () => seen.length === 2);
    expect(seen).toEqual([['a'], ['b']]);
  });

  it('waits for an approval through a change of workers', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    const decisions: unknown[] = [];
    const approvalId = `ask:${id}/1/1/0`;
    const activities = {
      invokeModel: (input: InvokeModelInput) =>
        Promise.resolve(
          input.step === 1
            ? tools(
                planned(input, 0, {
                  effect: 'once' as const,
                  ask: { approvalId, kind: 'approval' as const, title: 'really?' },
                }),
              )
            : final(),
        ),
      executeTool: (input: { decision?: unknown }) => {
        decisions.push(input.decision);
        return Promise.resolve({ status: 'ok' as const, preview: '', durationMs: 1 });
      },
    };
    await env.startWorker(activities, cache);
    await env.send(id, 'a');
    await until('the question', async () => (await env.conversations.snapshot(id))?.waiting.length === 1);
    for (let restart = 0; restart < 2; restart += 1) {
      await env.stopWorker();
      await env.startWorker(activities, cache);
    }
    const request = { approvalId, decision: 'approve', by: 'cli' } as const;
    expect(await env.conversations.decide(id, request)).toEqual({ accepted: true });
    await until('the call', () => decisions.length === 1);
    expect(decisions).toEqual([{ decision: 'approve' }]);
  });
});

it('stops a turn and what it runs, and tells the store', async () => {
  env = await WorkflowEnv.create(temporal);
  const id = newId();
  const ends: FinaliseTurnInput[] = [];
  let running = false;
  await env.startWorker({
    invokeModel: (input) => Promise.resolve(tools(planned(input, 0, { effect: 'attachable' }))),
    executeTool: () => {
      running = true;
      return untilCancelled();
    },
    finaliseTurn: (input) => {
      ends.push(input);
      return Promise.resolve();
    },
  });
  await env.send(id, 'a');
  await until('the tool', () => running);
  expect(await env.conversations.interrupt(id, { by: 'cli' })).toEqual({ interrupted: true, turn: 1 });
  await until('the end', () => ends.length === 1);
  expect(ends[0]).toMatchObject({ turn: 1, outcome: 'interrupted' });
});

it('gives an interrupting message its own turn', async () => {
  env = await WorkflowEnv.create(temporal);
  const id = newId();
  const seen: string[] = [];
  await env.startWorker({
    invokeModel: (input) => {
      seen.push(`${String(input.turn)}:${input.inboundIds.join()}`);
      return input.turn === 1 ? untilCancelled() : Promise.resolve(final());
    },
  });
  await env.send(id, 'a');
  await until('the first turn', () => seen.length === 1);
  await env.send(id, 'b', { busyMode: 'interrupt' });
  await until('the second turn', () => seen.length === 2);
  expect(seen).toEqual(['1:a', '2:b']);
});

it('takes a message instead of a decision as a refusal, and hears it at once', async () => {
  env = await WorkflowEnv.create(temporal);
  const id = newId();
  const decisions: unknown[] = [];
  const seen: (readonly string[])[] = [];
  await env.startWorker({
    invokeModel: (input) => {
      seen.push(input.inboundIds);
      const ask = { approvalId: `ask:${id}/1/1/0`, kind: 'approval' as const, title: 'really?' };
      return Promise.resolve(input.step === 1 ? tools(planned(input, 0, { effect: 'once', ask })) : final());
    },
    executeTool: (input) => {
      decisions.push(input.decision?.decision);
      return Promise.resolve({ status: 'denied', preview: '', durationMs: 1 });
    },
  });
  await env.send(id, 'a');
  await until('the question', async () => (await env.conversations.snapshot(id))?.waiting.length === 1);
  await env.send(id, 'do something else');
  await until('the second step', () => seen.length === 2);
  expect(decisions).toEqual(['deny']);
  expect(seen[1]).toEqual(['do something else']);
});

it('asks when a budget is reached and goes on with the same step once it is granted', async () => {
  env = await WorkflowEnv.create(temporal);
  const id = newId();
  const steps: [number, number][] = [];
  await env.startWorker({
    invokeModel: (input) => {
      steps.push([input.step, input.budgetGrants]);
      const approvalId = `ask:${id}/1/budget/steps/0`;
      return Promise.resolve(input.budgetGrants === 0 ? { kind: 'budget', approvalId, title: 'Go on?' } : final());
    },
  });
  await env.send(id, 'a');
  await until('the question', async () => (await env.conversations.snapshot(id))?.waiting.length === 1);
  await env.conversations.decide(id, { approvalId: `ask:${id}/1/budget/steps/0`, decision: 'approve', by: 'cli' });
  await until('the answer', () => steps.length === 2);
  expect(steps).toEqual([
    [1, 0],
    [1, 1],
  ]);
});

it('runs reading calls side by side and changing calls one after another', async () => {
  env = await WorkflowEnv.create(temporal);
  const id = newId();
  let reading = 0;
  let mostReading = 0;
  const order: string[] = [];
  let finished = false;
  await env.startWorker({
    invokeModel: (input) => {
      if (input.step > 1) {
        finished = true;
        return Promise.resolve(final());
      }
      return Promise.resolve(
        tools(
          planned(input, 0),
          planned(input, 1),
          planned(input, 2, { effect: 'idempotent' }),
          planned(input, 3, { effect: 'idempotent' }),
        ),
      );
    },
    executeTool: async ({ callKey }) => {
      const index = Number(callKey.split('/').at(-1));
      if (index < 2) {
        reading += 1;
        mostReading = Math.max(mostReading, reading);
        await new Promise((resolve) => setTimeout(resolve, 300));
        reading -= 1;
      } else {
        order.push(`start ${String(index)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
        order.push(`end ${String(index)}`);
      }
      return { status: 'ok', preview: '', durationMs: 1 };
    },
  });
  await env.send(id, 'a');
  await until('the end', () => finished);
  expect(mostReading).toBe(2);
  expect(order).toEqual(['start 2', 'end 2', 'start 3', 'end 3']);
});

it('completes when idle and goes on from the store when the next message comes', async () => {
  env = await WorkflowEnv.create(temporal, { idleCompleteMs: 300 });
  const id = newId();
  const turns: number[] = [];
  await env.startWorker({
    loadConversation: () =>
      Promise.resolve({ lastTurn: 1, title: 'kept', usage: { inputTokens: 1, outputTokens: 1, costUsd: 0 } }),
    invokeModel: (input) => {
      turns.push(input.turn);
      return Promise.resolve(final());
    },
  });
  await env.send(id, 'a');
  await until('completion', async () => (await env.conversations.snapshot(id)) === null && turns.length === 1);
  await env.conversations.inbound(id, {
    inboundId: 'b',
    receivedAt: new Date().toISOString(),
    platform: 'cli',
    preview: 'b',
  });
  await until('the next turn', () => turns.length === 2);
  expect(turns).toEqual([1, 2]);
});

it('shows title, state and summaries to whoever looks at the workflow', async () => {
  env = await WorkflowEnv.create(temporal);
  const id = newId();
  let done = false;
  await env.startWorker({
    invokeModel: (input) => {
      if (input.step === 1) return Promise.resolve(tools(planned(input, 0, { summary: 'run_command: npm test' })));
      done = true;
      return Promise.resolve(final());
    },
    executeTool: () => Promise.resolve({ status: 'ok', preview: '', durationMs: 1 }),
  });
  await env.send(id, 'a');
  await until('the end', () => done);
  const handle = env.client.workflow.getHandle(conversationWorkflowId(id));
  await until('the title', async () =>
    JSON.stringify((await handle.describe()).typedSearchAttributes).includes('A title'),
  );
  const history = await handle.fetchHistory();
  const summaries = (history.events ?? []).map((event) =>
    Buffer.from(event.userMetadata?.summary?.data ?? '').toString(),
  );
  expect(summaries).toContain('"run_command: npm test"');
  expect(summaries).toContain('"invokeModel step 1"');
  expect(summaries).toContain('"invokeModel test step 2"');
});

describe('stopping', () => {
  it('ends what runs and completes when it is cancelled from outside', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    const ends: FinaliseTurnInput[] = [];
    let running = false;
    await env.startWorker({
      invokeModel: () => {
        running = true;
        return untilCancelled();
      },
      finaliseTurn: (input) => {
        ends.push(input);
        return Promise.resolve();
      },
    });
    await env.send(id, 'a');
    await until('the model', () => running);
    const handle = env.client.workflow.getHandle(conversationWorkflowId(id));
    await handle.cancel();
    await handle.result();
    expect(ends).toMatchObject([{ turn: 1, outcome: 'interrupted' }]);
    expect((await handle.describe()).status.name).toBe('COMPLETED');
  });

  it('completes when it is cancelled at rest', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    await env.startWorker({ invokeModel: () => Promise.resolve(final()) });
    await env.send(id, 'a');
    const handle = env.client.workflow.getHandle(conversationWorkflowId(id));
    await until('rest', async () => (await env.conversations.snapshot(id))?.phase === 'idle');
    await handle.cancel();
    await handle.result();
    expect((await handle.describe()).status.name).toBe('COMPLETED');
  });

  it('leaves a message that comes after the stop to the next turn', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    const seen: string[] = [];
    const ends: FinaliseTurnInput[] = [];
    let running = false;
    await env.startWorker({
      invokeModel: (input) => {
        seen.push(`${String(input.turn)}:${input.inboundIds.join()}`);
        return Promise.resolve(input.turn === 1 ? tools(planned(input, 0, { effect: 'attachable' })) : final());
      },
      executeTool: async () => {
        running = true;
        await untilCancelled().catch(() => undefined);
        // As a command that takes a while to die, while the person already goes on.
        await env.send(id, 'b');
        return { status: 'cancelled', preview: '', durationMs: 1 };
      },
      finaliseTurn: (input) => {
        ends.push(input);
        return Promise.resolve();
      },
    });
    await env.send(id, 'a');
    await until('the tool', () => running);
    await env.conversations.interrupt(id, { by: 'cli' });
    await until('the next turn', () => seen.length === 2);
    expect(seen).toEqual(['1:a', '2:b']);
    expect(ends).toMatchObject([{ outcome: 'interrupted', inboundIds: [] }]);
  });

  it('ends a wait for an approval, once, and refuses a later decision', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    const approvalId = `ask:${id}/1/1/0`;
    const ends: FinaliseTurnInput[] = [];
    let release = (): void => undefined;
    const ended = new Promise<void>((resolve) => (release = resolve));
    await env.startWorker({
      invokeModel: (input) =>
        Promise.resolve(
          tools(planned(input, 0, { effect: 'once', ask: { approvalId, kind: 'approval', title: 'really?' } })),
        ),
      finaliseTurn: async (input) => {
        ends.push(input);
        await ended;
      },
    });
    await env.send(id, 'a');
    await until('the question', async () => (await env.conversations.snapshot(id))?.waiting.length === 1);
    expect(await env.conversations.interrupt(id, { by: 'cli' })).toEqual({ interrupted: true, turn: 1 });
    await until('the end', () => ends.length === 1);
    expect(await env.conversations.interrupt(id, { by: 'cli' })).toEqual({ interrupted: false, turn: 1 });
    expect(await env.conversations.decide(id, { approvalId, decision: 'approve', by: 'cli' })).toEqual({
      accepted: false,
    });
    release();
    await until('rest', async () => (await env.conversations.snapshot(id))?.phase === 'idle');
    expect((await env.conversations.snapshot(id))?.waiting).toEqual([]);
    expect(await env.conversations.decide(id, { approvalId, decision: 'approve', by: 'cli' })).toEqual({
      accepted: false,
    });
    expect(ends).toMatchObject([{ turn: 1, outcome: 'interrupted' }]);
  });

  it('keeps an answer that is already given, and hears the interrupting message in the next turn', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    const seen: string[] = [];
    let delivered = 0;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const ends: FinaliseTurnInput[] = [];
    await env.startWorker({
      invokeModel: (input) => {
        seen.push(`${String(input.turn)}:${input.inboundIds.join()}`);
        return Promise.resolve(final());
      },
      deliverMessage: async () => {
        delivered += 1;
        await held;
        return { state: 'sent', preview: '' };
      },
      finaliseTurn: (input) => {
        ends.push(input);
        return Promise.resolve();
      },
    });
    await env.send(id, 'a', { replyTo: { platform: 'telegram', chat: '1' } });
    await until('the delivery', () => delivered === 1);
    expect(await env.conversations.interrupt(id, { by: 'cli' })).toEqual({ interrupted: false, turn: 1 });
    await env.send(id, 'b', { busyMode: 'interrupt' });
    release();
    await until('the next turn', () => seen.length === 2);
    expect(seen).toEqual(['1:a', '2:b']);
    expect(ends).toEqual([]);
  });
});

describe('failing', () => {
  it('ends the turn once a call fails for good, without waiting for the person or beginning more', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    const begun: string[] = [];
    const ends: FinaliseTurnInput[] = [];
    await env.startWorker({
      invokeModel: (input) => {
        if (input.turn === 2) return Promise.resolve(final());
        const ask = { approvalId: `ask:${id}/1/1/3`, kind: 'approval' as const, title: 'really?' };
        return Promise.resolve(
          tools(
            planned(input, 0),
            planned(input, 1, { effect: 'idempotent' }),
            planned(input, 2, { effect: 'idempotent' }),
            planned(input, 3, { effect: 'once', ask }),
          ),
        );
      },
      executeTool: async ({ callKey }) => {
        const index = callKey.split('/').at(-1) ?? '';
        begun.push(index);
        if (index === '1') {
          await until('the question', async () => (await env.conversations.snapshot(id))?.waiting.length === 1);
          throw ApplicationFailure.nonRetryable('the disk is gone', 'Storage.Damaged');
        }
        return { status: 'ok', preview: '', durationMs: 1 };
      },
      finaliseTurn: (input) => {
        ends.push(input);
        return Promise.resolve();
      },
    });
    await env.send(id, 'a');
    await until('the end', () => ends.length === 1);
    expect(ends).toMatchObject([{ outcome: 'failed', code: 'Storage.Damaged', message: 'the disk is gone' }]);
    expect([...begun].sort()).toEqual(['0', '1']);
    await env.send(id, 'b');
    await until('the next turn', async () => (await env.conversations.snapshot(id))?.turnsInRun === 2);
  });

  it('goes on when an answer cannot be delivered', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    await env.startWorker({
      invokeModel: () => Promise.resolve(final()),
      deliverMessage: () => Promise.reject(ApplicationFailure.nonRetryable('no such chat', 'Platform.RecipientGone')),
    });
    await env.send(id, 'a', { replyTo: { platform: 'telegram', chat: '1' } });
    await until('the turn', async () => (await env.conversations.snapshot(id))?.turnsInRun === 1);
  });

  it('lets the person decide elsewhere while a question cannot be delivered', async () => {
    env = await WorkflowEnv.create(temporal);
    const id = newId();
    const approvalId = `ask:${id}/1/1/0`;
    const decisions: unknown[] = [];
    await env.startWorker({
      invokeModel: (input) =>
        Promise.resolve(
          input.step === 1
            ? tools(planned(input, 0, { effect: 'once', ask: { approvalId, kind: 'approval', title: 'really?' } }))
            : final(),
        ),
      executeTool: ({ decision }) => {
        decisions.push(decision);
        return Promise.resolve({ status: 'ok', preview: '', durationMs: 1 });
      },
      deliverMessage: ({ what }) =>
        what.kind === 'ask' ? untilCancelled() : Promise.resolve({ state: 'sent', preview: '' }),
    });
    await env.send(id, 'a', { replyTo: { platform: 'telegram', chat: '1' } });
    await until('the question', async () => (await env.conversations.snapshot(id))?.waiting.length === 1);
    await env.conversations.decide(id, { approvalId, decision: 'approve', by: 'cli' });
    await until('the turn', async () => (await env.conversations.snapshot(id))?.turnsInRun === 1);
    expect(decisions).toEqual([{ decision: 'approve' }]);
  });
});

it('keeps a burst of messages in order across continue-as-new', async () => {
  env = await WorkflowEnv.create(temporal, { busyMode: 'queue', continueAsNewAfterEvents: 5 });
  const id = newId();
  const seen: string[] = [];
  await env.startWorker({
    invokeModel: ({ turn, inboundIds }) => {
      seen.push(`${String(turn)}:${inboundIds.join()}`);
      return Promise.resolve(final());
    },
  });
  const all = Array.from({ length: 10 }, (_, index) => String(index + 1));
  for (const inboundId of all) await env.send(id, inboundId);
  await until('all turns', () => seen.length >= 10);
  expect(seen).toEqual(all.map((one) => `${one}:${one}`));
});

it('writes no search attributes where the server does not know them', async () => {
  env = await WorkflowEnv.create(temporal, {}, { searchAttributes: false });
  const id = newId();
  const approvalId = `ask:${id}/1/1/0`;
  await env.startWorker({
    invokeModel: (input) =>
      Promise.resolve(
        input.step === 1
          ? tools(planned(input, 0, { ask: { approvalId, kind: 'approval', title: 'really?' } }))
          : final(),
      ),
    executeTool: () => Promise.resolve({ status: 'ok', preview: '', durationMs: 1 }),
  });
  await env.send(id, 'a');
  await until('the question', async () => (await env.conversations.snapshot(id))?.waiting.length === 1);
  await env.conversations.decide(id, { approvalId, decision: 'approve', by: 'cli' });
  await until('the turn', async () => (await env.conversations.snapshot(id))?.turnsInRun === 1);
  const history = await env.client.workflow.getHandle(conversationWorkflowId(id)).fetchHistory();
  const upserts = (history.events ?? []).filter((event) => event.upsertWorkflowSearchAttributesEventAttributes != null);
  expect(upserts).toEqual([]);
});
