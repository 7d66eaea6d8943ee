import { z } from 'zod';
import { defineTool, type ToolPlan, type ToolResult } from './define-tool.ts';
import { oneLine } from './text.ts';

const input = z.strictObject({
  question: z.string().min(1).max(2_000).describe('What to decide'),
  choices: z.array(z.string().min(1).max(200)).max(8).optional().describe('Offered answers; own words stay possible'),
});

/** A question to the person; the conversation waits for as long as it takes. */
export const askUser = defineTool({
  name: 'ask_user',
  description: 'Ask the person and wait for the answer.',
  input,
  effect: 'read',
  approval: 'never',
  timeoutMs: 10_000,
  outputCapChars: 100_000,

  plan: (args, context): ToolPlan => ({
    summary: `ask_user: ${oneLine(context.deps.redact(args.question), 120)}`,
    question: { text: args.question, choices: args.choices ?? [] },
  }),

  run(args, context): Promise<ToolResult> {
    const answer = context.answer?.trim() ?? '';
    if (answer === '') return Promise.resolve({ status: 'error', text: 'The person gave no answer.' });
    return Promise.resolve({ status: 'ok', text: chosen(answer, args.choices ?? []) });
  },
});

/** `2` means the second choice. */
function chosen(answer: string, choices: readonly string[]): string {
  const number = /^\d{1,2}$/.test(answer) && !choices.includes(answer) ? Number(answer) : 0;
  return choices[number - 1] ?? answer;
}
