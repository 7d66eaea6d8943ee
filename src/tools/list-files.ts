import { z } from 'zod';
import type { FileEntry } from '../backends/backend.ts';
import { defineTool, type ToolPlan, type ToolResult } from './define-tool.ts';
import { counted, formatBytes, oneLine } from './text.ts';

const input = z.strictObject({
  path: z.string().min(1).optional().describe('Folder; default the current one'),
});

const maxEntries = 500;

/** One folder's content, folders first. */
export const listFiles = defineTool({
  name: 'list_files',
  description: 'List one folder: names, sizes, times.',
  input,
  effect: 'read',
  approval: 'never',
  timeoutMs: 30_000,
  outputCapChars: 40_000,

  plan: (args, context): ToolPlan => ({
    summary: `list_files: ${oneLine(context.deps.redact(args.path ?? '.'), 120)}`,
  }),

  async run(args, context): Promise<ToolResult> {
    const session = await context.terminal();
    const at = { sessionKey: context.conversationId };
    const path = await session.resolve(args.path ?? '.', at);
    const entries = [...(await session.listFiles(path, at))].sort(byKindAndName);
    const shown = entries.slice(0, maxEntries).map(describe);
    const more = entries.length - shown.length;
    return {
      status: 'ok',
      text: [
        `${path} (${counted(entries.length, 'entry').replace('entrys', 'entries')})`,
        ...shown,
        ...(more > 0 ? [`[${String(more)} more; use search_files with target name]`] : []),
      ].join('\n'),
      preview: `${String(entries.length)} in ${path}`,
    };
  },
});

function byKindAndName(a: FileEntry, b: FileEntry): number {
  const rank = (entry: FileEntry): number => (entry.kind === 'directory' ? 0 : 1);
  return rank(a) - rank(b) || (a.name < b.name ? -1 : 1);
}

function describe(entry: FileEntry): string {
  const time = entry.modifiedAt.slice(0, 16).replace('T', ' ');
  if (entry.kind === 'directory') return `${entry.name}/  ${time}`;
  const mark = entry.kind === 'link' ? '@' : entry.kind === 'other' ? '=' : '';
  return `${entry.name}${mark}  ${formatBytes(entry.sizeBytes)}  ${time}`;
}
