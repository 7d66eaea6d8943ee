import { z } from 'zod';
import { defineTool, type ToolPlan, type ToolResult } from './define-tool.ts';
import { counted, oneLine } from './text.ts';

const input = z.strictObject({
  query: z.string().min(1).max(500).describe('Words'),
  max_results: z.number().int().positive().max(50).optional().describe('Default 10'),
});

/** Searches everything the person and the agent ever said. */
export const searchConversations = defineTool({
  name: 'search_conversations',
  description: 'Search all earlier conversations.',
  input,
  effect: 'read',
  approval: 'never',
  timeoutMs: 30_000,
  outputCapChars: 30_000,

  plan: (args, context): ToolPlan => ({
    summary: `search_conversations: ${oneLine(context.deps.redact(args.query), 100)}`,
  }),

  async run(args, context): Promise<ToolResult> {
    const hits = await context.deps.search.search({
      personId: context.personId,
      text: args.query,
      maxResults: args.max_results ?? 10,
    });
    const text = hits
      .map(
        (hit) =>
          `${hit.at.slice(0, 16).replace('T', ' ')}  ${hit.speaker}  in ${hit.conversationId} (${hit.title})\n  ${hit.excerpt.replace(/\s*\n\s*/g, ' ')}`,
      )
      .join('\n');
    return {
      status: 'ok',
      text: hits.length === 0 ? 'Nothing found. Try other or fewer words.' : text,
      preview: counted(hits.length, 'hit'),
    };
  },
});
