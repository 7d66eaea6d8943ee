import { z } from 'zod';
import { defineTool, type ToolPlan, type ToolResult } from './define-tool.ts';
import { counted } from './text.ts';

const input = z.strictObject({ id: z.string().min(1).describe('From search_conversations') });

/** More goes to the store like every long result, and stays readable there. */
const maxChars = 400_000;

/** The transcript of one of the person's conversations. */
export const loadConversation = defineTool({
  name: 'load_conversation',
  description: 'Read an earlier conversation.',
  input,
  effect: 'read',
  approval: 'never',
  timeoutMs: 30_000,
  outputCapChars: 30_000,

  plan: (args): ToolPlan => ({ summary: `load_conversation: ${args.id.slice(0, 120)}` }),

  async run(args, context): Promise<ToolResult> {
    const found = await context.deps.search.load({ personId: context.personId, conversationId: args.id, maxChars });
    if (found === null)
      return { status: 'error', text: `There is no conversation ${args.id}. Ids come from search_conversations.` };
    const size = counted(found.messageCount, 'message');
    return { status: 'ok', text: `${found.title} (${size})\n${found.text}`, preview: `${found.title}: ${size}` };
  },
});
