import { z } from 'zod';
import { defineTool, type ToolContext, type ToolPlan, type ToolResult } from './define-tool.ts';
import { oneLine } from './text.ts';

const input = z.strictObject({
  action: z.enum(['add', 'replace', 'remove']).describe('What to do'),
  text: z.string().min(1).max(500).optional().describe('The fact, one sentence; not for remove'),
  id: z.string().optional().describe('Of the fact; not for add'),
});
type Input = z.infer<typeof input>;

/** Facts about the person that every conversation starts with. Idempotent by the call's key. */
export const memory = defineTool({
  name: 'memory',
  description: 'Keep, change or drop a lasting fact about the person.',
  input,
  effect: 'idempotent',
  approval: 'never',
  timeoutMs: 10_000,
  outputCapChars: 2_000,

  plan: (args, context): ToolPlan => ({
    summary: `memory: ${args.action} ${oneLine(context.deps.redact(args.text ?? args.id ?? ''), 100)}`.trimEnd(),
  }),

  run: (args, context) => act(args, context),
});

async function act(args: Input, context: ToolContext): Promise<ToolResult> {
  const text = (args.text ?? '').trim().replace(/\s+/g, ' ');
  if (args.action !== 'remove' && text === '') return failure(`action ${args.action} needs text.`);
  if (args.action !== 'add' && args.id === undefined) return failure(`action ${args.action} needs id.`);
  if (context.deps.redact(text) !== text) return failure('Not kept: this looks like a secret.');
  return args.action === 'add' ? add(text, context) : change(args.action, args.id ?? '', text, context);
}

async function add(text: string, context: ToolContext): Promise<ToolResult> {
  const { personId, conversationId, turn, callKey } = context;
  const { memories } = context.deps;
  const known = (await memories.list(personId)).find((one) => sameWords(one.text, text));
  const kept = known ?? (await memories.add({ key: callKey, personId, text, conversationId, turn }));
  return { status: 'ok', text: `Kept as ${kept.id}: ${kept.text}` };
}

async function change(
  action: 'replace' | 'remove',
  id: string,
  text: string,
  context: ToolContext,
): Promise<ToolResult> {
  const { memories } = context.deps;
  const changed =
    action === 'replace'
      ? await memories.replace(id, context.personId, text)
      : await memories.remove(id, context.personId);
  // On a second try the first may have removed it already.
  if (!changed && !(action === 'remove' && context.attempt > 1)) return failure(await unknownId(id, context));
  return { status: 'ok', text: action === 'replace' ? `Changed ${id}: ${text}` : `Removed ${id}.` };
}

function failure(text: string): ToolResult {
  return { status: 'error', text };
}

function sameWords(a: string, b: string): boolean {
  const plain = (text: string): string =>
    text
      .toLowerCase()
      .replace(/[\s.]+/g, ' ')
      .trim();
  return plain(a) === plain(b);
}

async function unknownId(id: string, context: ToolContext): Promise<string> {
  const known = await context.deps.memories.list(context.personId);
  const lines = known.map((one) => `${one.id}: ${one.text}`);
  return `There is no fact ${id}.${lines.length === 0 ? ' Nothing is kept yet.' : ` Kept are:\n${lines.join('\n')}`}`;
}
