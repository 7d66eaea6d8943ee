import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { executeTool } from '../../../src/activities/execute-tool.ts';
import { ActivityStopped } from '../../../src/activities/heartbeat.ts';
import type { ExecuteToolInput } from '../../../src/contracts/activities.ts';
import { approvalId } from '../../../src/domain/ids.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import {
  conversationId,
  openActivityBench,
  secret,
  smallTool,
  untilAborted,
  type ActivityBench,
} from './support/activity-bench.ts';

const ok = { status: 'ok', text: 'done' } as const;
const calm = (): AbortSignal => new AbortController().signal;

function inputOf(callKey: string, decision?: ExecuteToolInput['decision']): ExecuteToolInput {
  return { conversationId, turn: 1, step: 1, callKey, ...(decision === undefined ? {} : { decision }) };
}

/** What the model reads of the call. */
async function resultText(bench: ActivityBench): Promise<string | undefined> {
  const rows = await bench.store.transcript.load(conversationId, { fromTurn: 1 });
  return rows.find((row) => row.role === 'tool')?.text;
}

describe('a call that has been recorded', () => {
  it('is answered from its record and not run again', async () => {
    const tool = smallTool(() => ok);
    const bench = await openActivityBench({ tools: [tool] });
    const input = inputOf(await bench.plan('small'));
    const first = await executeTool(bench.deps, input, 1, calm());
    expect(await executeTool(bench.deps, input, 2, calm())).toEqual(first);
    expect(first).toMatchObject({ status: 'ok', preview: 'done' });
    expect(tool.runs()).toBe(1);
  });

  it('is uncertain when it must not be repeated and has begun', async () => {
    const tool = smallTool(() => ok);
    const bench = await openActivityBench({ tools: [tool] });
    const callKey = await bench.plan('small', { effect: 'once' });
    await bench.store.toolCalls.start(callKey);
    expect(await executeTool(bench.deps, inputOf(callKey), 2, calm())).toMatchObject({ status: 'uncertain' });
    expect(tool.runs()).toBe(0);
    expect(await resultText(bench)).toMatch(/may or may not have taken effect/);
    expect(await bench.store.toolCalls.uncertain(10)).toMatchObject([{ callKey }]);
  });

  it.each(['read', 'idempotent', 'attachable'] as const)('runs again when it is %s and has begun', async (effect) => {
    const attempts: number[] = [];
    const tool = smallTool(({ attempt }) => {
      attempts.push(attempt);
      return ok;
    });
    const bench = await openActivityBench({ tools: [tool] });
    const callKey = await bench.plan('small', { effect });
    await bench.store.toolCalls.start(callKey);
    expect(await executeTool(bench.deps, inputOf(callKey), 2, calm())).toMatchObject({ status: 'ok' });
    expect(attempts).toEqual([2]);
  });
});

describe('a call that may not run', () => {
  it('is denied by the person, with the reason, and its question waits no longer', async () => {
    const tool = smallTool(() => ok);
    const bench = await openActivityBench({ tools: [tool] });
    const callKey = await bench.plan('small');
    const id = approvalId(callKey);
    await bench.store.approvals.ask({
      id,
      conversationId,
      turn: 1,
      kind: 'approval',
      title: 'really?',
      detail: '',
      choices: [],
      tool: 'small',
      ruleKey: null,
      callKey,
    });
    const input = inputOf(callKey, { decision: 'deny', answer: 'not today' });
    expect(await executeTool(bench.deps, input, 1, calm())).toMatchObject({ status: 'denied' });
    expect(tool.runs()).toBe(0);
    expect(await resultText(bench)).toBe('The person denied this call. Reason: not today');
    expect(await bench.store.approvals.list({ state: 'waiting', limit: 10 })).toEqual([]);
    expect(bench.events).toContainEqual(expect.objectContaining({ kind: 'decided', approvalId: id, decision: 'deny' }));
  });

  it('is denied when the policy has become stricter since it was planned', async () => {
    const tool = smallTool(() => ok, { plan: () => ({ approval: { title: 't', reason: 'r', ruleKey: 'k' } }) });
    const bench = await openActivityBench({ tools: [tool] });
    const input = inputOf(await bench.plan('small'));
    expect(await executeTool(bench.deps, input, 1, calm())).toMatchObject({ status: 'denied' });
    expect(tool.runs()).toBe(0);
  });

  it('is denied when it is blocked by now, whatever the person said', async () => {
    const tool = smallTool(() => ok, { plan: () => ({ blocked: 'it would end the world' }) });
    const bench = await openActivityBench({ tools: [tool] });
    const input = inputOf(await bench.plan('small'), { decision: 'approve' });
    expect(await executeTool(bench.deps, input, 1, calm())).toMatchObject({ status: 'denied' });
    expect(await resultText(bench)).toMatch(/it would end the world/);
    expect(tool.runs()).toBe(0);
  });

  it('is an error when its tool is gone', async () => {
    const bench = await openActivityBench();
    const input = inputOf(await bench.plan('small'));
    expect(await executeTool(bench.deps, input, 1, calm())).toMatchObject({ status: 'error' });
    expect(await resultText(bench)).toMatch(/no tool small/);
  });
});

describe('a call that ends early', () => {
  it('is timed out at its limit', async () => {
    const tool = smallTool(({ signal }) => untilAborted(signal));
    const bench = await openActivityBench({ tools: [tool] });
    const input = inputOf(await bench.plan('small', { timeoutMs: 30 }));
    expect(await executeTool(bench.deps, input, 1, calm())).toMatchObject({ status: 'timed-out' });
  });

  it('is cancelled when the person stops the turn', async () => {
    const stop = new AbortController();
    const tool = smallTool(({ signal }) => {
      stop.abort(new ActivityStopped('stopped'));
      return untilAborted(signal);
    });
    const bench = await openActivityBench({ tools: [tool] });
    const input = inputOf(await bench.plan('small'));
    expect(await executeTool(bench.deps, input, 1, stop.signal)).toMatchObject({ status: 'cancelled' });
  });

  it.each(['by notice', "by the server's word"])(
    'is handed over without a result when the worker ends %s',
    async (how) => {
      const stop = new AbortController();
      const tool = smallTool(({ signal, draining }) => {
        if (how === 'by notice') bench.draining.abort(new Error('this worker is stopping'));
        else stop.abort(new ActivityStopped('handed-over'));
        expect(signal.aborted).toBe(false);
        return untilAborted(draining);
      });
      const bench = await openActivityBench({ tools: [tool] });
      const callKey = await bench.plan('small', { effect: 'attachable' });
      const handed = executeTool(bench.deps, inputOf(callKey), 1, stop.signal);
      await expect(handed).rejects.toMatchObject({ name: 'ActivityStopped', reason: 'handed-over' });
      expect(await bench.store.toolCalls.get(callKey)).toMatchObject({ state: 'started', status: null });
    },
  );

  it('is cancelled, not handed over, when the person stops it while the worker ends', async () => {
    const stop = new AbortController();
    const tool = smallTool(({ draining }) => {
      bench.draining.abort(new Error('this worker is stopping'));
      stop.abort(new ActivityStopped('stopped'));
      return untilAborted(draining);
    });
    const bench = await openActivityBench({ tools: [tool] });
    const input = inputOf(await bench.plan('small', { effect: 'attachable' }));
    expect(await executeTool(bench.deps, input, 1, stop.signal)).toMatchObject({ status: 'cancelled' });
  });

  it('leaves nothing listening on signals that live as long as the process', async () => {
    const tool = smallTool(() => ok);
    const bench = await openActivityBench({ tools: [tool] });
    const attempt = calm();
    await executeTool(bench.deps, inputOf(await bench.plan('small')), 1, attempt);
    expect(getEventListeners(bench.draining.signal, 'abort')).toEqual([]);
    expect(getEventListeners(attempt, 'abort')).toEqual([]);
  });
});

describe('a tool that fails', () => {
  const outage = (): never => {
    throw new PortError('Terminal.BackendUnavailable', `no route with ${secret}`);
  };

  it('is tried again twice for an outage, then the model is told, without secrets', async () => {
    const tool = smallTool(outage);
    const bench = await openActivityBench({ tools: [tool] });
    const input = inputOf(await bench.plan('small'));
    for (const attempt of [1, 2]) {
      const tried = executeTool(bench.deps, input, attempt, calm());
      await expect(tried).rejects.toMatchObject({ code: 'Terminal.BackendUnavailable' });
    }
    expect(await executeTool(bench.deps, input, 3, calm())).toMatchObject({ status: 'error' });
    expect(tool.runs()).toBe(3);
    const text = await resultText(bench);
    expect(text).toMatch(/^The tool failed: no route with/);
    expect(text).not.toContain(secret);
  });

  it('is told at once for what no retry can help', async () => {
    const tool = smallTool(() => {
      throw new PortError('Terminal.SessionLost', 'the environment is gone');
    });
    const bench = await openActivityBench({ tools: [tool] });
    const input = inputOf(await bench.plan('small'));
    expect(await executeTool(bench.deps, input, 1, calm())).toMatchObject({ status: 'error' });
    expect(tool.runs()).toBe(1);
  });
});

describe('a result', () => {
  it('is capped for the model and kept whole, redacted, in the store', async () => {
    const whole = `${'a'.repeat(3_000)} ${secret} ${'z'.repeat(3_000)}`;
    const tool = smallTool(() => ({ status: 'ok', text: whole }), { outputCapChars: 1_000 });
    const bench = await openActivityBench({ tools: [tool] });
    const callKey = await bench.plan('small');
    await executeTool(bench.deps, inputOf(callKey), 1, calm());
    const text = (await resultText(bench)) ?? '';
    expect(text.length).toBeLessThanOrEqual(1_000);
    expect(text.startsWith('aaa') && text.endsWith('zzz')).toBe(true);
    expect(text).toContain(`read_file blob:${callKey}`);
    const blob = (await bench.store.blobs.get(callKey))?.bytes.toString('utf8') ?? '';
    expect(blob.length).toBeGreaterThan(6_000);
    expect(blob).not.toContain(secret);
  });

  it('is told to whoever watches', async () => {
    const bench = await openActivityBench({ tools: [smallTool(() => ok)] });
    await executeTool(bench.deps, inputOf(await bench.plan('small')), 1, calm());
    expect(bench.events.map((event) => event.kind)).toEqual(['tool-started', 'tool-finished']);
  });
});
