import { describe, expect, it } from 'vitest';
import { executeTool } from '../../../src/activities/execute-tool.ts';
import type { TerminalSession } from '../../../src/backends/backend.ts';
import type { ExecuteToolInput } from '../../../src/contracts/activities.ts';
import type { JsonValue } from '../../../src/contracts/json.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { conversationId, openActivityBench, smallTool, type ActivityBench } from './support/activity-bench.ts';

const signal = new AbortController().signal;
const session = {} as TerminalSession;
const details = { ask: 'trust-host-key', host: 'there', port: 22, fingerprint: 'SHA256:abc' };

interface Machine {
  readonly bench: ActivityBench;
  readonly resolved: Readonly<Record<string, JsonValue>>[];
  readonly input: ExecuteToolInput;
  readonly runs: () => number;
  readonly attempts: number[];
}

/** A machine whose key nobody has trusted yet. */
async function untrusted(effect: 'attachable' | 'once' = 'attachable', helps = true): Promise<Machine> {
  const resolved: Readonly<Record<string, JsonValue>>[] = [];
  const attempts: number[] = [];
  const tool = smallTool(async (context) => {
    await context.terminal();
    attempts.push(context.attempt);
    return { status: 'ok', text: 'it ran' };
  });
  const bench = await openActivityBench({
    tools: [tool],
    terminals: {
      open: () => {
        if (resolved.length > 0 && helps) return Promise.resolve({ session });
        return Promise.reject(new PortError('Terminal.NeedsDecision', 'The key of there is not known.', { details }));
      },
      resolveQuestion: (_call, what) => {
        resolved.push(what);
        return Promise.resolve();
      },
    },
  });
  const callKey = await bench.plan('small', { effect });
  return { bench, resolved, attempts, runs: tool.runs, input: { conversationId, turn: 1, step: 1, callKey } };
}

const resultText = async ({ bench }: Machine): Promise<string | undefined> =>
  (await bench.store.transcript.load(conversationId, { fromTurn: 1 })).find((row) => row.role === 'tool')?.text;

describe('a tool on a machine that needs a decision first', () => {
  it.each(['attachable', 'once'] as const)(
    'asks, does nothing, and runs for the first time when approved (%s)',
    async (effect) => {
      const machine = await untrusted(effect);
      const { bench, input } = machine;
      const asked = await executeTool(bench.deps, input, 1, signal);
      expect(asked).toMatchObject({ status: 'ask', ask: { kind: 'approval' } });
      const approvalId = asked.ask?.approvalId ?? '';
      expect(approvalId.startsWith(`ask:${conversationId}/1/`)).toBe(true);
      expect(await bench.store.approvals.get(approvalId)).toMatchObject({
        state: 'waiting',
        detail: 'The key of there is not known.',
      });
      expect(bench.events.filter((event) => event.kind === 'asked')).toHaveLength(1);
      expect((await bench.store.toolCalls.get(input.callKey))?.state).toBe('planned');

      const terminalDecision = { approvalId, decision: 'approve' } as const;
      const done = await executeTool(bench.deps, { ...input, terminalDecision }, 1, signal);
      expect(done.status).toBe('ok');
      expect(machine.resolved).toEqual([details]);
      expect(machine.attempts).toEqual([1]);
      expect(await resultText(machine)).toBe('it ran');
    },
  );

  it('asks the same question again while nobody has answered', async () => {
    const { bench, input } = await untrusted();
    const first = await executeTool(bench.deps, input, 1, signal);
    expect(await executeTool(bench.deps, input, 2, signal)).toEqual(first);
    expect(await bench.store.approvals.list({ limit: 10 })).toHaveLength(1);
  });

  it('goes by the recorded word when the workflow brings none, as after a retry', async () => {
    const machine = await untrusted();
    const { bench, input } = machine;
    const asked = await executeTool(bench.deps, input, 1, signal);
    const id = asked.ask?.approvalId ?? '';
    await bench.store.approvals.decide({ id, decision: 'approve', scope: 'once', answer: null, by: 'cli' });
    expect((await executeTool(bench.deps, input, 2, signal)).status).toBe('ok');
  });

  it('tells the model when the person says no, and closes the question', async () => {
    const machine = await untrusted();
    const { bench, input } = machine;
    const asked = await executeTool(bench.deps, input, 1, signal);
    const approvalId = asked.ask?.approvalId ?? '';
    const terminalDecision = { approvalId, decision: 'deny', answer: 'wrong machine' } as const;
    expect((await executeTool(bench.deps, { ...input, terminalDecision }, 1, signal)).status).toBe('denied');
    expect(await resultText(machine)).toBe(
      'The key of there is not known. The person was asked and said no. Reason: wrong machine',
    );
    expect(machine.resolved).toEqual([]);
    expect((await bench.store.approvals.get(approvalId))?.state).toBe('closed');
  });

  it('ends with the failure when what was approved does not help', async () => {
    const machine = await untrusted('attachable', false);
    const { bench, input } = machine;
    const asked = await executeTool(bench.deps, input, 1, signal);
    const terminalDecision = { approvalId: asked.ask?.approvalId ?? '', decision: 'approve' } as const;
    expect((await executeTool(bench.deps, { ...input, terminalDecision }, 1, signal)).status).toBe('error');
    expect(machine.resolved).toHaveLength(1);
  });
});

describe('the terminal of a call', () => {
  it('is left when the call ends, and says where it runs when that is new', async () => {
    const left: string[] = [];
    const tool = smallTool(async (context) => {
      await context.terminal();
      return { status: 'ok', text: 'it ran' };
    });
    const bench = await openActivityBench({
      tools: [tool],
      terminals: {
        open: () => Promise.resolve({ session, notice: 'Commands now run on docker.' }),
        leave: (call) => left.push(call.callKey),
      },
    });
    const callKey = await bench.plan('small', { effect: 'attachable' });
    await executeTool(bench.deps, { conversationId, turn: 1, step: 1, callKey }, 1, signal);
    expect(left).toEqual([callKey]);
    const rows = await bench.store.transcript.load(conversationId, { fromTurn: 1 });
    expect(rows.find((row) => row.role === 'tool')?.text).toBe('[note: Commands now run on docker.]\nit ran');
    expect(bench.events).toContainEqual(
      expect.objectContaining({ kind: 'notice', text: 'Commands now run on docker.' }),
    );
  });

  it('is waited for no longer than the call may take', async () => {
    const tool = smallTool(async (context) => {
      await context.terminal();
      return { status: 'ok', text: 'it ran' };
    });
    const bench = await openActivityBench({
      tools: [tool],
      terminals: { open: () => new Promise(() => undefined) },
    });
    const callKey = await bench.plan('small', { effect: 'attachable', timeoutMs: 100 });
    const result = await executeTool(bench.deps, { conversationId, turn: 1, step: 1, callKey }, 1, signal);
    expect(result.status).toBe('timed-out');
    const rows = await bench.store.transcript.load(conversationId, { fromTurn: 1 });
    expect(rows.find((row) => row.role === 'tool')?.text).toContain('The environment was not awake yet');
  });
});
