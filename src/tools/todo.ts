import { z } from 'zod';
import { defineTool, type ToolPlan, type ToolResult } from './define-tool.ts';
import type { TodoItem } from './tool-deps.ts';

const input = z.strictObject({
  items: z
    .array(
      z.strictObject({
        text: z.string().min(1).max(300).describe('What'),
        state: z.enum(['open', 'doing', 'done']).describe('Now'),
      }),
    )
    .max(50)
    .optional()
    .describe('The whole new list; absent: read'),
});

/** The task list of a conversation. Idempotent: a write replaces the whole list. */
export const todo = defineTool({
  name: 'todo',
  description: 'Read or replace the task list.',
  input,
  effect: 'idempotent',
  approval: 'never',
  timeoutMs: 10_000,
  outputCapChars: 20_000,

  plan: (args): ToolPlan =>
    args.items === undefined
      ? { summary: 'todo: read', effect: 'read' }
      : { summary: `todo: ${String(done(args.items))} of ${String(args.items.length)} done` },

  async run(args, context): Promise<ToolResult> {
    if (args.items !== undefined) await context.deps.todos.write(context.conversationId, args.items);
    const items = args.items ?? (await context.deps.todos.read(context.conversationId));
    const marks = { open: '[ ]', doing: '[>]', done: '[x]' } as const;
    return {
      status: 'ok',
      text:
        items.length === 0 ? 'The list is empty.' : items.map((item) => `${marks[item.state]} ${item.text}`).join('\n'),
      preview: `${String(done(items))} of ${String(items.length)} done`,
    };
  },
});

function done(items: readonly TodoItem[]): number {
  return items.filter((item) => item.state === 'done').length;
}
