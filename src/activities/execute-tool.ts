import type { ExecuteToolInput, ExecuteToolResult } from '../contracts/activities.ts';
import type { ToolStatus } from '../domain/effect.ts';
import { truncateMiddle } from '../lib/truncate.ts';
import type { ToolCallRow } from '../store/ports.ts';
import type { ToolContext } from '../tools/define-tool.ts';
import type { ActivityDeps, PlannedTool } from './deps.ts';
import { ActivityStopped } from './heartbeat.ts';
import { clip } from './plan-calls.ts';

const previewChars = 200;
/** A tool that fails for a reason of its own (an outage, a bug) is tried this often before the model is told. */
const maxOutageAttempts = 3;

interface Done {
  readonly status: ToolStatus;
  readonly text: string;
  readonly preview?: string;
}

/**
 * Runs one planned call. Looks at the call's record before it acts: finished calls return their record; a call of class
 * `once` that was started and has no record is never started again.
 */
export async function executeTool(
  deps: ActivityDeps,
  input: ExecuteToolInput,
  attempt: number,
  signal: AbortSignal,
): Promise<ExecuteToolResult> {
  const before = await deps.store.toolCalls.start(input.callKey);
  if (before.state === 'done') return resultOf(before);
  publishStarted(deps, input, before);
  const startedAt = Date.now();
  const done = await decide(deps, input, { before, attempt, signal });
  const row = await deps.store.toolCalls.finish(input.callKey, {
    status: done.status,
    text: done.text,
    preview: clip(deps.redact(done.preview ?? done.text), previewChars),
    durationMs: Date.now() - startedAt,
  });
  publishFinished(deps, input, row);
  return resultOf(row);
}

interface Try {
  readonly before: ToolCallRow;
  readonly attempt: number;
  readonly signal: AbortSignal;
}

async function decide(deps: ActivityDeps, input: ExecuteToolInput, one: Try): Promise<Done> {
  if (input.decision?.decision === 'deny') {
    const why = input.decision.answer === undefined ? '' : ` Reason: ${input.decision.answer}`;
    return { status: 'denied', text: `The person denied this call.${why}` };
  }
  if (one.before.state === 'started' && one.before.effect === 'once') {
    return {
      status: 'uncertain',
      text: 'uncertain: this call was started and the process died before its result was recorded. It may or may not have taken effect. Check with a read-only call, or ask the person, before you repeat it.',
    };
  }
  const conversation = await deps.store.conversations.get(input.conversationId);
  if (conversation === null) return { status: 'error', text: 'This conversation has been deleted.' };
  const who = { conversationId: input.conversationId, personId: conversation.personId };
  // Time has passed since the plan: the tool may be gone, the policy stricter.
  const planned = await deps.tools.plan(
    { id: one.before.toolCallId, name: one.before.name, argumentsText: one.before.argumentsText },
    { ...who, deps: deps.toolDeps() },
  );
  if (planned.kind === 'rejected') return { status: 'error', text: planned.text };
  if (planned.plan.blocked !== undefined) {
    return { status: 'denied', text: `Refused, and no one can allow it: ${planned.plan.blocked}` };
  }
  if (planned.plan.approval !== undefined && input.decision?.decision !== 'approve') {
    return { status: 'denied', text: 'The rules have become stricter since this call was made; make it again to ask.' };
  }
  return run(deps, input, { ...one, planned, who });
}

type PlannedTry = Try & {
  readonly planned: Extract<PlannedTool, { kind: 'planned' }>;
  readonly who: { readonly conversationId: string; readonly personId: string };
};

async function run(deps: ActivityDeps, input: ExecuteToolInput, one: PlannedTry): Promise<Done> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error('timed out')), one.before.timeoutMs);
  const handOver = onHandOver(deps.draining, one.signal);
  const context: ToolContext = {
    ...one.who,
    turn: input.turn,
    step: input.step,
    callKey: input.callKey,
    attempt: one.before.state === 'started' ? 2 : 1,
    signal: AbortSignal.any([whenStopped(one.signal), limit.signal]),
    draining: handOver,
    answer: input.decision?.decision === 'answer' ? (input.decision.answer ?? '') : undefined,
    terminal: () => deps.openTerminal(one.who),
    deps: deps.toolDeps(),
  };
  try {
    const result = await deps.tools.run(one.planned.name, one.planned.input, context);
    return { ...(await capped(deps, input, result)), status: result.status };
  } catch (error) {
    if (handOver.aborted) throw new ActivityStopped('handed-over');
    if (one.signal.aborted) return { status: 'cancelled', text: 'Stopped by the person before it finished.' };
    if (limit.signal.aborted) {
      return { status: 'timed-out', text: `Gave up after ${String(Math.round(one.before.timeoutMs / 1000))} s.` };
    }
    if (one.attempt < maxOutageAttempts) throw error;
    const words = error instanceof Error ? error.message : String(error);
    deps.log.warn({ ...one.who, callKey: input.callKey, tool: one.planned.name, error: words }, 'tool failed');
    return { status: 'error', text: deps.redact(`The tool failed: ${words}`) };
  } finally {
    clearTimeout(timer);
  }
}

/** Aborts only when the person stopped the turn. */
function whenStopped(signal: AbortSignal): AbortSignal {
  return filtered(signal, 'stopped');
}

/** Aborts when this worker is about to end, by notice or by the server's word. */
function onHandOver(draining: AbortSignal, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([draining, filtered(signal, 'handed-over')]);
}

function filtered(signal: AbortSignal, reason: ActivityStopped['reason']): AbortSignal {
  const controller = new AbortController();
  const check = (): void => {
    if (signal.reason instanceof ActivityStopped && signal.reason.reason === reason) controller.abort(signal.reason);
  };
  if (signal.aborted) check();
  else signal.addEventListener('abort', check, { once: true });
  return controller.signal;
}

/** Cuts what the model reads; the whole stays in the store, readable by reference. */
async function capped(
  deps: ActivityDeps,
  input: ExecuteToolInput,
  result: { readonly text: string; readonly capChars: number; readonly preview?: string },
): Promise<{ text: string; preview?: string }> {
  const whole = deps.redact(result.text);
  const preview = result.preview === undefined ? {} : { preview: result.preview };
  if (whole.length <= result.capChars) return { text: whole, ...preview };
  await deps.store.blobs.put({
    id: input.callKey,
    conversationId: input.conversationId,
    mediaType: 'text/plain; charset=utf-8',
    bytes: Buffer.from(whole, 'utf8'),
  });
  const reference = `blob:${input.callKey}`;
  return { text: truncateMiddle(whole, { maxChars: result.capChars, reference }), ...preview };
}

function resultOf(row: ToolCallRow): ExecuteToolResult {
  return {
    status: row.status ?? 'uncertain',
    preview: row.preview ?? '',
    durationMs:
      row.startedAt === null || row.endedAt === null ? 0 : Date.parse(row.endedAt) - Date.parse(row.startedAt),
  };
}

function publishStarted(deps: ActivityDeps, input: ExecuteToolInput, row: ToolCallRow): void {
  const { conversationId, turn, step, callKey } = input;
  const { name, summary } = row;
  deps.bus.publish({ conversationId, turn, step, callKey, kind: 'tool-started', name, summary });
}

function publishFinished(deps: ActivityDeps, input: ExecuteToolInput, row: ToolCallRow): void {
  const { conversationId, turn, step, callKey } = input;
  const { name, summary } = row;
  deps.bus.publish({ conversationId, turn, step, callKey, kind: 'tool-finished', name, summary, ...resultOf(row) });
}
