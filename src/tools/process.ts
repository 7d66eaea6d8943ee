import { z } from 'zod';
import type { RunState, TerminalSession } from '../backends/backend.ts';
import { defineTool, type ToolContext, type ToolPlan, type ToolResult } from './define-tool.ts';
import { describeRun } from './terminal/run-report.ts';
import { counted, oneLine, plainOutput } from './text.ts';

const input = z.strictObject({
  action: z.enum(['list', 'read', 'write', 'kill', 'wait']).describe('What to do'),
  id: z.string().optional().describe('Run id; not for list'),
  offset: z.number().int().nonnegative().optional().describe('read: byte to start at; default the last output'),
  text: z.string().optional().describe('write: standard input, with its newline'),
  end: z.boolean().optional().describe('write: close standard input after it'),
  timeoutSeconds: z.number().positive().max(600).optional().describe('wait: at most; default 60'),
});
type Input = z.infer<typeof input>;

const readBytes = 20_000;
const effects = { list: 'read', read: 'read', wait: 'read', kill: 'idempotent', write: 'once' } as const;
const defaultWaitSeconds = 60;

/** Looks after runs started with `run_command background: true`, of this conversation only. */
export const process = defineTool({
  name: 'process',
  description:
    'Background runs of this conversation: list, read output, write to standard input, kill, wait for the end.',
  input,
  effect: 'once',
  approval: 'never',
  timeoutMs: 30_000,
  outputCapChars: 30_000,

  plan(args, context): ToolPlan {
    const waitMs = args.action === 'wait' ? (args.timeoutSeconds ?? defaultWaitSeconds) * 1_000 : 0;
    const problem = missing(args);
    const detail = args.text === undefined ? '' : `: ${oneLine(context.deps.redact(args.text), 60)}`;
    return {
      summary: `process: ${args.action}${args.id === undefined ? '' : ` ${args.id}`}${detail}`,
      // A call that cannot do anything is safe to repeat.
      effect: problem === null ? effects[args.action] : 'read',
      timeoutMs: 30_000 + waitMs,
    };
  },

  async run(args, context): Promise<ToolResult> {
    const problem = missing(args);
    if (problem !== null) return { status: 'error', text: problem };
    const session = await context.terminal();
    if (args.action === 'list') return list(session, context);
    const id = args.id ?? '';
    const known = id.startsWith(`${context.conversationId}/`) ? await find(session, id) : null;
    if (known === null) return { status: 'error', text: `No run ${id} in this conversation. Use action list.` };
    switch (args.action) {
      case 'read':
        return read(session, known, args.offset ?? Math.max(known.outputBytes - readBytes, 0), context);
      case 'wait':
        return wait(session, known, (args.timeoutSeconds ?? defaultWaitSeconds) * 1_000, context);
      case 'kill': {
        const state = await session.kill(id);
        return { status: 'ok', text: `${id}: ${describeRun(state)}` };
      }
      case 'write':
        return write(session, known, args);
    }
  },
});

function missing(args: Input): string | null {
  if (args.action !== 'list' && args.id === undefined) return `action ${args.action} needs id.`;
  if (args.action === 'write' && args.text === undefined && args.end !== true) return 'action write needs text or end.';
  return null;
}

async function find(session: TerminalSession, id: string): Promise<RunState | null> {
  const { state } = await session.poll(id, { offset: 0, maxBytes: 1, waitMs: 0 });
  return state.phase === 'absent' ? null : state;
}

const endedShown = 10;

async function list(session: TerminalSession, context: ToolContext): Promise<ToolResult> {
  const runs = await session.listRuns(context.conversationId);
  const running = runs.filter((run) => run.phase === 'running');
  const ended = runs.filter((run) => run.phase !== 'running').slice(0, endedShown);
  const lines = [...running, ...ended].map(
    (run) => `${run.key}  ${describeRun(run)}  started ${run.startedAt ?? 'unknown'}  ${String(run.outputBytes)} bytes`,
  );
  return {
    status: 'ok',
    text: lines.length === 0 ? 'No runs.' : lines.join('\n'),
    preview: `${counted(running.length, 'run')} running`,
  };
}

async function read(
  session: TerminalSession,
  run: RunState,
  offset: number,
  context: ToolContext,
): Promise<ToolResult> {
  const { state, bytes } = await session.poll(run.key, {
    offset,
    maxBytes: readBytes,
    waitMs: 0,
    signal: context.signal,
  });
  const next = offset + bytes.length;
  const output = plainOutput(bytes).trimEnd();
  return {
    status: 'ok',
    text: `${output === '' ? '(no output)' : output}\n[${describeRun(state)}; bytes ${String(offset)}-${String(next)} of ${String(state.outputBytes)}; next offset ${String(next)}]`,
    preview: `${describeRun(state)}, ${counted(bytes.length, 'byte')}`,
  };
}

async function wait(
  session: TerminalSession,
  run: RunState,
  limitMs: number,
  context: ToolContext,
): Promise<ToolResult> {
  const stop = AbortSignal.any([context.signal, context.draining]);
  const end = Date.now() + limitMs;
  let state = run;
  while (state.phase === 'running' && Date.now() < end) {
    const waitMs = Math.min(end - Date.now(), 20_000);
    ({ state } = await session.poll(run.key, { offset: state.outputBytes, maxBytes: 1, waitMs, signal: stop }));
    stop.throwIfAborted();
  }
  return read(session, state, Math.max(state.outputBytes - readBytes, 0), context);
}

async function write(session: TerminalSession, run: RunState, args: Input): Promise<ToolResult> {
  if (run.phase !== 'running') return { status: 'error', text: `${run.key} is not running: ${describeRun(run)}.` };
  const bytes = Buffer.from(args.text ?? '');
  await session.writeStdin(run.key, bytes, { end: args.end === true });
  return {
    status: 'ok',
    text: `Wrote ${counted(bytes.length, 'byte')}${args.end === true ? ' and closed standard input' : ''}.`,
  };
}
