import { z } from 'zod';
import { defineTool, type ToolPlan, type ToolResult } from './define-tool.ts';
import { readIfThere, resolveFor } from './file-access.ts';
import { judgeOf, policyOf, surroundingsOf } from './policy.ts';
import { counted, formatBytes, oneLine } from './text.ts';

const input = z.strictObject({
  path: z.string().min(1).describe('File'),
  content: z.string().describe('All of its new content'),
});

/** Writes a whole file in one step. Idempotent. */
export const writeFile = defineTool({
  name: 'write_file',
  description: 'Create or replace a file; makes its folders. To change a part, use edit_file.',
  input,
  effect: 'idempotent',
  approval: 'by-policy',
  timeoutMs: 60_000,
  outputCapChars: 2_000,

  async plan(args, context): Promise<ToolPlan> {
    const { settings, redact } = context.deps;
    const size = formatBytes(Buffer.byteLength(args.content));
    const verdict = judgeOf.write(args.path)(surroundingsOf(settings));
    return {
      summary: `write_file: ${oneLine(redact(args.path), 120)} (${size})`,
      ...(await policyOf({ tool: 'write_file', title: `Write ${args.path} (${size})`, verdict }, context)),
    };
  },

  async run(args, context): Promise<ToolResult> {
    const { session, path, objection } = await resolveFor('write', args.path, context);
    if (objection !== null) return { status: 'error', text: objection };
    const bytes = Buffer.from(args.content, 'utf8');
    const before = context.attempt > 1 ? null : await sizeOf(() => readIfThere(session, path, context));
    context.signal.throwIfAborted();
    await session.writeFile(path, bytes, { sessionKey: context.conversationId });
    const lines = args.content === '' ? 0 : args.content.replace(/\n$/, '').split('\n').length;
    const what = before === null ? 'Wrote' : `Replaced ${formatBytes(before)} by`;
    const text = `${what} ${counted(lines, 'line')} (${formatBytes(bytes.length)}): ${path}`;
    return { status: 'ok', text, preview: text };
  },
});

async function sizeOf(read: () => Promise<Buffer | null>): Promise<number | null> {
  return (await read())?.length ?? null;
}
