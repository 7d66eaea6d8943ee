import { describe, expect, it } from 'vitest';
import type { ModelGateway } from '../../../src/activities/deps.ts';
import { ActivityStopped } from '../../../src/activities/heartbeat.ts';
import { invokeModel } from '../../../src/activities/invoke-model.ts';
import type { InvokeModelInput } from '../../../src/contracts/activities.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { commitOf } from '../store/support/commit-of.ts';
import {
  answerOf,
  conversationId,
  openActivityBench,
  secret,
  smallTool,
  untilAborted,
} from './support/activity-bench.ts';

type Generate = ModelGateway['generate'];
type Request = Parameters<Generate>[1];

const calm = (): AbortSignal => new AbortController().signal;

function inputOf(more: Partial<InvokeModelInput> = {}): InvokeModelInput {
  return {
    conversationId,
    turn: 1,
    step: 1,
    inboundIds: ['in-1'],
    spent: { steps: 0, tokens: 0, costUsd: 0, startedAt: new Date().toISOString() },
    budgetGrants: 0,
    ...more,
  };
}

/** A model that keeps what it was asked. */
function model(answer: (request: Request, count: number) => ReturnType<Generate> | ReturnType<typeof answerOf>): {
  readonly asked: Request[];
  readonly generate: Generate;
} {
  const asked: Request[] = [];
  return {
    asked,
    generate: async (_reference, request) => {
      asked.push(request);
      return answer(request, asked.length);
    },
  };
}

describe('a model step', () => {
  it('returns its journal the second time and pays once', async () => {
    const { asked, generate } = model(() => answerOf());
    const bench = await openActivityBench({ generate });
    await bench.accept('in-1');
    const first = await invokeModel(bench.deps, inputOf(), calm());
    expect(await invokeModel(bench.deps, inputOf(), calm())).toEqual(first);
    expect(first).toMatchObject({ kind: 'final', preview: 'an answer', title: 'hello', usage: { costUsd: 0.25 } });
    expect(asked).toHaveLength(1);
    expect(await bench.store.usage.byDay(1)).toMatchObject([{ calls: 1, costUsd: 0.25 }]);
  });

  it('is a duplicate, and leaves no trace, when an earlier turn has taken its messages', async () => {
    const { asked, generate } = model(() => answerOf());
    const bench = await openActivityBench({ generate });
    await bench.accept('in-1');
    await invokeModel(bench.deps, inputOf(), calm());
    expect(await invokeModel(bench.deps, inputOf({ turn: 2 }), calm())).toEqual({ kind: 'duplicate' });
    expect(asked).toHaveLength(1);
    expect(await bench.store.turns.get(conversationId, 2)).toBeNull();
  });

  it('plans the calls of the answer and answers those that cannot run', async () => {
    const toolCalls = [
      { id: 'one', name: 'small', argumentsText: '{}' },
      { id: 'two', name: 'smal', argumentsText: '{}' },
    ];
    const { generate } = model(() => answerOf({ toolCalls, finishReason: 'tool-calls' }));
    const bench = await openActivityBench({ generate, tools: [smallTool(() => ({ status: 'ok', text: '' }))] });
    await bench.accept('in-1');
    const outcome = await invokeModel(bench.deps, inputOf(), calm());
    expect(outcome).toMatchObject({ kind: 'tools', calls: [{ name: 'small', callKey: `${conversationId}/1/1/0` }] });
    const rows = await bench.store.transcript.load(conversationId, { fromTurn: 1 });
    expect(rows.filter((row) => row.role === 'tool')).toMatchObject([{ toolCallId: 'two', toolStatus: 'error' }]);
  });

  it('sends no secret to the model and keeps none it was told', async () => {
    const { asked, generate } = model(() => answerOf({ text: `it is ${secret}` }));
    const bench = await openActivityBench({ generate });
    await bench.accept('in-1', `my key is ${secret}`);
    await invokeModel(bench.deps, inputOf(), calm());
    expect(JSON.stringify(asked)).not.toContain(secret);
    expect((await bench.store.turns.get(conversationId, 1))?.answer).not.toContain(secret);
  });
});

describe('a budget that is reached', () => {
  it('asks instead of calling the model, and calls it once more is granted', async () => {
    const { asked, generate } = model(() => answerOf());
    const bench = await openActivityBench({ generate, budget: { maxSteps: 2 } });
    await bench.accept('in-1');
    const spent = { ...inputOf().spent, steps: 2 };
    const outcome = await invokeModel(bench.deps, inputOf({ spent }), calm());
    const id = `ask:${conversationId}/1/budget/steps/0`;
    expect(outcome).toMatchObject({ kind: 'budget', approvalId: id });
    expect(await invokeModel(bench.deps, inputOf({ spent }), calm())).toEqual(outcome);
    expect(asked).toEqual([]);
    expect(await bench.store.approvals.list({ state: 'waiting', limit: 10 })).toMatchObject([{ id, kind: 'budget' }]);
    expect(await invokeModel(bench.deps, inputOf({ spent, budgetGrants: 1 }), calm())).toMatchObject({ kind: 'final' });
    expect(asked).toHaveLength(1);
  });

  it("counts what the person's other turns of the day have cost", async () => {
    const { asked, generate } = model(() => answerOf());
    const bench = await openActivityBench({ generate, budget: { maxCostPerDayUsd: 0.2 } });
    await bench.accept('in-1');
    await invokeModel(bench.deps, inputOf(), calm());
    await bench.accept('in-2');
    const next = inputOf({ turn: 2, inboundIds: ['in-2'] });
    expect(await invokeModel(bench.deps, next, calm())).toMatchObject({ kind: 'budget' });
    expect(asked).toHaveLength(1);
  });
});

describe('a step that is stopped', () => {
  it('keeps what the person has seen', async () => {
    const stop = new AbortController();
    const bench = await openActivityBench({
      generate: (_reference, _request, { signal, onDelta }) => {
        onDelta({ channel: 'reasoning', text: 'hidden' });
        onDelta({ channel: 'answer', text: 'half an ' });
        onDelta({ channel: 'answer', text: 'answer' });
        stop.abort(new ActivityStopped('stopped'));
        return untilAborted(signal);
      },
    });
    await bench.accept('in-1');
    const outcome = await invokeModel(bench.deps, inputOf(), stop.signal);
    expect(outcome).toMatchObject({ kind: 'interrupted' });
    const rows = await bench.store.transcript.load(conversationId, { fromTurn: 1 });
    expect(rows.map((row) => [row.role, row.text])).toEqual([
      ['user', 'hello'],
      ['assistant', 'half an answer'],
    ]);
    expect(await invokeModel(bench.deps, inputOf(), calm())).toEqual(outcome);
  });

  it('is left to the next attempt when the worker ends', async () => {
    const stop = new AbortController();
    const bench = await openActivityBench({
      generate: (_reference, _request, { signal, onDelta }) => {
        onDelta({ channel: 'answer', text: 'half' });
        stop.abort(new ActivityStopped('handed-over'));
        return untilAborted(signal);
      },
    });
    await bench.accept('in-1');
    await expect(invokeModel(bench.deps, inputOf(), stop.signal)).rejects.toMatchObject({ reason: 'handed-over' });
    const rows = await bench.store.transcript.load(conversationId, { fromTurn: 1 });
    expect(rows.map((row) => row.role)).toEqual(['user']);
  });
});

describe('the window of a long conversation', () => {
  /** Turns of about 2,000 characters each, all of them over. */
  async function longTalk(generate: Generate, turns: number, contextTokens: number) {
    const bench = await openActivityBench({ generate, contextTokens });
    for (let turn = 1; turn <= turns; turn += 1) {
      const id = await bench.accept(`old-${String(turn)}`, `${String(turn)}: ${'q'.repeat(1_000)}`);
      await bench.store.steps.begin({ conversationId, turn, step: 1, inboundIds: [id] });
      await bench.store.steps.commit(commitOf(conversationId, turn, 1, { text: 'a'.repeat(1_000) }));
    }
    await bench.accept('in-1', 'now');
    return { bench, input: inputOf({ turn: turns + 1 }) };
  }
  const sizeOf = (request: Request | undefined): number =>
    (request?.messages ?? []).reduce((sum, message) => sum + message.text.length, 0);

  it('moves when the conversation outgrows the model, keeps the newest and is remembered', async () => {
    const { asked, generate } = model(() => answerOf());
    // Room for 0.6 * 10,000 * 3.5 = 21,000 characters.
    const { bench, input } = await longTalk(generate, 20, 10_000);
    await invokeModel(bench.deps, input, calm());
    expect(sizeOf(asked[0])).toBeLessThanOrEqual(21_000);
    expect(asked[0]?.messages.at(-1)).toMatchObject({ role: 'user', text: 'now' });
    const from = (await bench.store.conversations.get(conversationId))?.windowFromTurn ?? 0;
    expect(from).toBeGreaterThan(1);
    expect(asked[0]?.messages[0]?.text.startsWith(`${String(from)}: `)).toBe(true);
  });

  it('stays where it is while everything fits', async () => {
    const { asked, generate } = model(() => answerOf());
    const { bench, input } = await longTalk(generate, 3, 100_000);
    await invokeModel(bench.deps, input, calm());
    expect(asked[0]?.messages).toHaveLength(7);
    expect((await bench.store.conversations.get(conversationId))?.windowFromTurn).toBe(0);
  });

  it('is halved, once, when the model says it is too much', async () => {
    const { asked, generate } = model((_request, count) => {
      if (count === 1) throw new PortError('Model.ContextTooLong', 'too long');
      return answerOf();
    });
    const { bench, input } = await longTalk(generate, 9, 10_000);
    expect(await invokeModel(bench.deps, input, calm())).toMatchObject({ kind: 'final' });
    expect(asked).toHaveLength(2);
    expect(sizeOf(asked[0])).toBeGreaterThan(10_500);
    expect(sizeOf(asked[1])).toBeLessThanOrEqual(10_500);
    expect(bench.events.map((event) => event.kind)).toContain('notice');
  });

  it('is given up when half of it is too much as well', async () => {
    const { asked, generate } = model(() => {
      throw new PortError('Model.ContextTooLong', 'too long');
    });
    const { bench, input } = await longTalk(generate, 9, 10_000);
    await expect(invokeModel(bench.deps, input, calm())).rejects.toMatchObject({ code: 'Model.ContextTooLong' });
    expect(asked).toHaveLength(2);
  });
});
