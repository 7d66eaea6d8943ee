import { z } from 'zod';
import { defineTool, type ToolPlan, type ToolResult } from './define-tool.ts';
import { followRun } from './terminal/follow-run.ts';
import { counted, oneLine, plainOutput, shellQuote } from './text.ts';

const input = z.strictObject({
  pattern: z.string().min(1).describe('content: regular expression; name: glob or part of the name'),
  path: z.string().min(1).optional().describe('File or folder; default the current one'),
  target: z.enum(['content', 'name']).optional().describe('Default content'),
  glob: z.string().min(1).optional().describe('content: only files like *.ts'),
  maxResults: z.number().int().positive().max(1_000).optional().describe('Default 100'),
});
type Input = z.infer<typeof input>;

const timeoutMs = 60_000;
const maxLineChars = 300;

/** Searches below a folder with ripgrep where it is installed, else with grep and find. */
export const searchFiles = defineTool({
  name: 'search_files',
  description: 'Search files by content or name. Skips .git, node_modules and ignored files.',
  input,
  effect: 'read',
  approval: 'never',
  timeoutMs: timeoutMs + 15_000,
  outputCapChars: 40_000,

  plan: (args, context): ToolPlan => ({
    summary: `search_files: ${oneLine(context.deps.redact(args.pattern), 80)}${args.path === undefined ? '' : ` in ${oneLine(args.path, 60)}`}`,
  }),

  async run(args, context): Promise<ToolResult> {
    const session = await context.terminal();
    const path = await session.resolve(args.path ?? '.', { sessionKey: context.conversationId });
    const limit = args.maxResults ?? 100;
    const { state, output } = await followRun(
      session,
      { key: context.callKey, command: commandOf(args, path, limit), sessionKey: context.conversationId, timeoutMs },
      { signal: context.signal, draining: context.draining, mayRun: context.attempt > 1 },
    );
    await session.forget(context.callKey);
    const all = new TextDecoder().decode(output).split('\n');
    const exitCode = Number(all.find((line) => line.startsWith(exitMark))?.slice(1) ?? state.exitCode ?? 0);
    const lines = all
      .filter((line) => line !== '' && !line.startsWith(exitMark))
      .map((line) => plainOutput(Buffer.from(line)));
    if (exitCode > 1 && lines.length <= 20) {
      return {
        status: 'error',
        text: lines.length === 0 ? `The search failed (exit code ${String(exitCode)}).` : lines.join('\n'),
      };
    }
    return report(lines, limit, state.timedOut);
  },
});

function report(lines: readonly string[], limit: number, timedOut: boolean): ToolResult {
  const late = timedOut ? `\n[Stopped after ${String(timeoutMs / 1_000)} s; narrow the path.]` : '';
  if (lines.length === 0) return { status: timedOut ? 'timed-out' : 'ok', text: `Nothing found.${late}` };
  const shown = lines.slice(0, limit);
  const more =
    lines.length > limit ? `\n[More than ${counted(limit, 'result')}; narrow the search or raise maxResults.]` : '';
  return {
    status: 'ok',
    text: shown.join('\n') + more + late,
    preview: `${String(shown.length)}${lines.length > limit ? '+' : ''} found`,
  };
}

/** In front of the searcher's exit code, on the last line. */
const exitMark = '\u0001';

/** One script for every environment and POSIX shell; what is installed there decides. */
function commandOf(args: Input, path: string, limit: number): string {
  const body = args.target === 'name' ? nameSearch(args, path) : contentSearch(args, path);
  // One result more than wanted shows that more exist.
  const filter = `awk 'substr($0, 1, 1) == "\\001" { print; next } ++n <= ${String(limit + 1)} { print substr($0, 1, ${String(maxLineChars + 200)}) }'`;
  return `{ ${body}\nprintf '\\001%s\\n' "$?"; } 2>&1 | ${filter}`;
}

function contentSearch(args: Input, path: string): string {
  const [pattern, place] = [shellQuote(args.pattern), shellQuote(path)];
  const rgGlob = args.glob === undefined ? '' : ` -g ${shellQuote(args.glob)}`;
  const grepGlob = args.glob === undefined ? '' : ` --include=${shellQuote(args.glob)}`;
  return [
    'if command -v rg >/dev/null 2>&1; then',
    `rg --line-number --with-filename --no-heading --color=never --max-columns=${String(maxLineChars)} --max-columns-preview --sort=path${rgGlob} -g '!node_modules' -g '!.git' -e ${pattern} -- ${place}`,
    'else',
    `grep -rnIHE --exclude-dir=.git --exclude-dir=node_modules${grepGlob} -e ${pattern} -- ${place}`,
    'fi',
  ].join('\n');
}

function nameSearch(args: Input, path: string): string {
  const glob = /[*?[]/.test(args.pattern) ? args.pattern : `*${args.pattern}*`;
  const test = glob.includes('/')
    ? `-ipath ${shellQuote(`*${glob.replace(/^\*+/, '')}`)}`
    : `-iname ${shellQuote(glob)}`;
  return `find ${shellQuote(path)} \\( -name .git -o -name node_modules \\) -prune -o ${test} -print`;
}
