import type { ExecuteToolInput, ExecuteToolResult } from '../contracts/activities.ts';
import type { ToolStatus } from '../domain/effect.ts';
import { approvalId } from '../domain/ids.ts';
import { PortError } from '../lib/port-error.ts';
import { truncateMiddle } from '../lib/truncate.ts';
import type { ToolCallRow } from '../store/ports.ts';
import type { ToolContext } from '../tools/define-tool.ts';
import type { PlannedTool } from '../tools/registry.ts';
import { CallTerminal } from './call-terminal.ts';
import type { ActivityDeps, TerminalCall } from './deps.ts';
import { ActivityStopped } from './heartbeat.ts';
import { clip } from './plan-calls.ts';
import { answerTo, askTerminalQuestion, terminalQuestionOf, type TerminalQuestion } from './terminal-question.ts';

const previewChars = 200;
/** A tool that fails for a reason of its own (an outage, a bug) is tried this often before the model is told. */
const maxOutageAttempts = 3;

interface Done {
  readonly status: ToolStatus;
  readonly text: string;
  readonly preview?: string;
}

/** A person must decide something before the call can go on. */
interface Asked {
  readonly question: TerminalQuestion;
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
  if ('question' in done) {
    const ask = await askTerminalQuestion(deps, input, done.question);
    // It has done nothing yet, so the next try is its first. One that an earlier try may have begun stays as it is.
    if (before.state === 'planned') await deps.store.toolCalls.postpone(input.callKey);
    return { status: 'ask', preview: ask.title, durationMs: 0, ask };
  }
  const row = await deps.store.toolCalls.finish(input.callKey, {
    status: done.status,
    text: done.text,
    preview: clip(deps.redact(done.preview ?? done.text), previewChars),
    durationMs: Date.now() - startedAt,
  });
  publishFinished(deps, input, row);
  return resultOf(row);
}

/** A refusal by another message leaves the question open in the store, where it would go on waiting in every list. */
async function closeQuestion(
  deps: ActivityDeps,
  input: ExecuteToolInput,
  id: string,
  reason: string | undefined,
): Promise<void> {
  const asked = await deps.store.approvals.get(id);
  if (asked?.state !== 'waiting') return;
  await deps.store.approvals.close(id, reason ?? 'denied');
  const { conversationId, turn } = input;
  deps.bus.publish({ conversationId, turn, kind: 'decided', approvalId: id, decision: 'deny' });
}

interface Try {
  readonly before: ToolCallRow;
  readonly attempt: number;
  readonly signal: AbortSignal;
}

async function decide(deps: ActivityDeps, input: ExecuteToolInput, one: Try): Promise<Done | Asked> {
  if (input.decision?.decision === 'deny') {
    await closeQuestion(deps, input, approvalId(input.callKey), input.decision.answer);
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

/** Runs the tool; carries out what the person has approved meanwhile and runs it again. */
async function run(deps: ActivityDeps, input: ExecuteToolInput, one: PlannedTry): Promise<Done | Asked> {
  const resolved = new Set<string>();
  for (;;) {
    const done = await runOnce(deps, input, one);
    if (!('question' in done)) return done;
    const { question } = done;
    const answer = await answerTo(deps, input, question);
    if (answer === null) return done;
    if (!answer.approved) {
      await closeQuestion(deps, input, question.id, answer.reason);
      const why = answer.reason === undefined ? '' : ` Reason: ${answer.reason}`;
      return { status: 'denied', text: `${question.detail} The person was asked and said no.${why}` };
    }
    // Asked again right after it was carried out: it does not help, and would go round for ever.
    if (resolved.has(question.id)) return { status: 'error', text: deps.redact(question.detail) };
    resolved.add(question.id);
    try {
      await deps.terminals.resolveQuestion(callOf(input, one), question.details);
    } catch (error) {
      return failed(deps, input, one, error);
    }
  }
}

function callOf(input: ExecuteToolInput, one: PlannedTry): TerminalCall {
  return { ...one.who, turn: input.turn, callKey: input.callKey };
}

async function runOnce(deps: ActivityDeps, input: ExecuteToolInput, one: PlannedTry): Promise<Done | Asked> {
  const stops = watchStops(deps.draining, one.signal, one.before.timeoutMs);
  const terminal = new CallTerminal(deps, callOf(input, one), [stops.stop, stops.handOver]);
  const context: ToolContext = {
    ...one.who,
    turn: input.turn,
    step: input.step,
    callKey: input.callKey,
    attempt: one.before.state === 'started' ? 2 : 1,
    signal: stops.stop,
    draining: stops.handOver,
    answer: input.decision?.decision === 'answer' ? (input.decision.answer ?? '') : undefined,
    terminal: () => terminal.open(),
    deps: deps.toolDeps(),
  };
  try {
    const result = await deps.tools.run(one.planned.name, one.planned.input, context);
    const { text, ...rest } = await capped(deps, input, result);
    return { ...rest, text: terminal.withNotice(text), status: result.status };
  } catch (error) {
    const question = terminalQuestionOf(input, error);
    if (question !== null) return { question };
    // A stop counts before a hand-over: there may be nobody left who would stop it later.
    if (stoppedBy(one.signal) === 'stopped') {
      return { status: 'cancelled', text: 'Stopped by the person before it finished.' };
    }
    if (stops.handOver.aborted) throw new ActivityStopped('handed-over');
    if (stops.stop.aborted) {
      const seconds = String(Math.round(one.before.timeoutMs / 1000));
      return {
        status: 'timed-out',
        text: terminal.withNotice(`Gave up after ${seconds} s.${terminal.whatItWaitedFor}`),
      };
    }
    return failed(deps, input, one, error);
  } finally {
    terminal.leave();
    stops.release();
  }
}

/** Throws what another try may mend; the model hears of the rest. */
function failed(deps: ActivityDeps, input: ExecuteToolInput, one: PlannedTry, error: unknown): Done {
  const mayPass = !PortError.is(error) || error.retryable;
  if (mayPass && one.attempt < maxOutageAttempts) throw error;
  const words = error instanceof Error ? error.message : String(error);
  deps.log.warn({ ...one.who, callKey: input.callKey, tool: one.planned.name, error: words }, 'tool failed');
  return { status: 'error', text: deps.redact(`The tool failed: ${words}`) };
}

interface Stops {
  /** Aborts when the person stopped the turn, or at the call's time limit. */
  readonly stop: AbortSignal;
  /** Aborts when this worker is about to end, by notice or by the server's word. */
  readonly handOver: AbortSignal;
  /** Lets go of the signals and the timer. */
  release(): void;
}

/**
 * The signals of one call. Not AbortSignal.any: what that makes of a signal that lives as long as the process is never
 * collected in Node 20.
 */
function watchStops(draining: AbortSignal, signal: AbortSignal, timeoutMs: number): Stops {
  const stop = new AbortController();
  const handOver = new AbortController();
  const onSignal = (): void => {
    const reason = stoppedBy(signal);
    if (reason === 'stopped') stop.abort(signal.reason);
    if (reason === 'handed-over') handOver.abort(signal.reason);
  };
  const onDraining = (): void => handOver.abort(draining.reason);
  if (signal.aborted) onSignal();
  else signal.addEventListener('abort', onSignal, { once: true });
  if (draining.aborted) onDraining();
  else draining.addEventListener('abort', onDraining, { once: true });
  const timer = setTimeout(() => stop.abort(new Error('timed out')), timeoutMs);
  return {
    stop: stop.signal,
    handOver: handOver.signal,
    release: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onSignal);
      draining.removeEventListener('abort', onDraining);
    },
  };
}

function stoppedBy(signal: AbortSignal): ActivityStopped['reason'] | null {
  return signal.aborted && signal.reason instanceof ActivityStopped ? signal.reason.reason : null;
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

function resultOf(row: ToolCallRow): ExecuteToolResult & { readonly status: ToolStatus } {
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
