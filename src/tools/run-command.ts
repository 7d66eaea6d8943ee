import { z } from 'zod';
import type { RunSpec, RunState, TerminalSession } from '../backends/backend.ts';
import { defineTool, type ToolContext, type ToolPlan, type ToolResult } from './define-tool.ts';
import { judgeOf, newObjection, policyOf, surroundingsOf } from './policy.ts';
import { followRun, startOrAttach } from './terminal/follow-run.ts';
import { describeRun, reportRun } from './terminal/run-report.ts';
import { oneLine, plainOutput } from './text.ts';

const input = z.strictObject({
  command: z.string().min(1).describe('Line or script for bash'),
  timeoutSeconds: z.number().positive().optional().describe('Limit; default 180'),
  cwd: z.string().min(1).optional().describe('Directory for this command only'),
  pty: z.boolean().optional().describe('On a terminal of 120x40, for programs that want one'),
  background: z.boolean().optional().describe('Return at once with a run id; see process'),
});
type Input = z.infer<typeof input>;

/** The activity's own limit lies above the command's, so that the supervisor's verdict arrives. */
const slackMs = 15_000;

/** Runs a command in the conversation's terminal. Attachable: a second try finds the run of the first by its key. */
export const runCommand = defineTool({
  name: 'run_command',
  description:
    'Run a shell command. Directory and exported variables last for the conversation. Standard input is empty. Returns output and exit code.',
  input,
  effect: 'attachable',
  approval: 'by-policy',
  timeoutMs: 180_000 + slackMs,
  outputCapChars: 30_000,

  async plan(args, context): Promise<ToolPlan> {
    const { settings, redact } = context.deps;
    const line = oneLine(redact(args.command));
    const verdict = judgeOf.command(args.command)(surroundingsOf(settings, absolute(args.cwd)));
    return {
      summary: `run_command: ${line}`,
      timeoutMs: (args.background === true ? 0 : limitMs(args, context.deps.settings)) + slackMs,
      ...(await policyOf({ tool: 'run_command', title: `Run: ${line}`, verdict }, context)),
    };
  },

  async run(args, context): Promise<ToolResult> {
    const session = await context.terminal();
    const attaching = context.attempt > 1;
    const before = await session.cwd(context.conversationId);
    if (!attaching) {
      const cwd = args.cwd === undefined ? before : await session.resolve(args.cwd, sessionOf(context));
      const judge = judgeOf.command(args.command);
      const objection = newObjection(
        (surroundings) => judge({ ...surroundings, ...surroundingsOf(context.deps.settings, absolute(args.cwd)) }),
        context.deps.settings,
        { cwd, judge },
      );
      if (objection !== null) return { status: 'error', text: objection };
    }
    return args.background === true
      ? startInBackground(args, context, session)
      : runToEnd(args, context, session, before);
  },
});

function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') === true ? path : undefined;
}

function sessionOf(context: ToolContext): { sessionKey: string } {
  return { sessionKey: context.conversationId };
}

function limitMs(args: Input, settings: { commandTimeoutMs: number; maxCommandTimeoutMs: number }): number {
  const wanted = args.timeoutSeconds === undefined ? settings.commandTimeoutMs : args.timeoutSeconds * 1_000;
  return Math.min(wanted, settings.maxCommandTimeoutMs);
}

function specOf(args: Input, context: ToolContext): RunSpec {
  return {
    key: context.callKey,
    command: args.command,
    sessionKey: context.conversationId,
    ...(args.cwd === undefined ? {} : { cwd: args.cwd }),
    ...(args.pty === true ? { pty: { columns: 120, rows: 40 } } : {}),
  };
}

async function runToEnd(
  args: Input,
  context: ToolContext,
  session: TerminalSession,
  cwdBefore: string,
): Promise<ToolResult> {
  const timeoutMs = limitMs(args, context.deps.settings);
  const { state, output } = await followRun(
    session,
    { ...specOf(args, context), timeoutMs },
    { signal: context.signal, draining: context.draining, mayRun: context.attempt > 1 },
  );
  const notes: string[] = [];
  if (state.timedOut) notes.push(`the limit was ${String(timeoutMs / 1_000)} s; background: true has none`);
  if (args.timeoutSeconds !== undefined && timeoutMs < args.timeoutSeconds * 1_000) {
    notes.push(`limited to ${String(timeoutMs / 1_000)} s by the settings`);
  }
  if (state.cwd !== null && (state.cwd !== cwdBefore || context.attempt > 1))
    notes.push(`directory is now ${state.cwd}`);
  return reportRun(state, plainOutput(output), notes);
}

/** How long a background run is watched, so that one that fails at once says so. */
const firstLookMs = 300;
const firstLookBytes = 8_192;

async function startInBackground(args: Input, context: ToolContext, session: TerminalSession): Promise<ToolResult> {
  context.signal.throwIfAborted();
  const key = context.callKey;
  await startOrAttach(session, { ...specOf(args, context), stdin: true }, context.attempt > 1);
  const signal = AbortSignal.any([context.signal, context.draining]);
  const end = Date.now() + firstLookMs;
  const seen: Buffer[] = [];
  let offset = 0;
  let state: RunState;
  do {
    const waitMs = Math.max(end - Date.now(), 0);
    const news = await session.poll(key, { offset, maxBytes: firstLookBytes, waitMs, signal });
    ({ state } = news);
    seen.push(news.bytes);
    offset += news.bytes.length;
  } while (state.phase === 'running' && Date.now() < end && offset < firstLookBytes);
  const output = plainOutput(Buffer.concat(seen)).trimEnd();
  return {
    status: 'ok',
    text: `Started in the background as ${key} (${describeRun(state)}).${output === '' ? '' : `\n${output}`}`,
    preview: `started in the background, ${describeRun(state)}`,
  };
}
