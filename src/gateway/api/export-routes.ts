import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { z } from 'zod';
import type { ConversationRow, MessageRow } from '../../store/ports.ts';
import { findConversation } from './conversation-lookup.ts';
import type { ApiContext } from './deps.ts';
import { answersAs, bearer, conversationParam } from './schemas.ts';
import { messageView } from './views.ts';

const exportRoute = createRoute({
  method: 'get',
  path: '/api/conversations/{idOrName}/export',
  summary: 'The whole transcript',
  security: bearer,
  request: {
    params: conversationParam,
    query: z.object({ format: z.enum(['md', 'json']).default('md') }),
  },
  responses: answersAs('text/markdown', 'Markdown, or JSON `{conversation, messages}`; sent while it is read.'),
});

export function exportRoutes(app: OpenAPIHono, context: ApiContext): void {
  app.openapi(exportRoute, async (c) => {
    const { format } = c.req.valid('query');
    const row = await findConversation(context, c.req.valid('param').idOrName);
    const pieces = format === 'md' ? asMarkdown(context, row) : asJson(context, row);
    return new Response(streamOf(pieces), {
      headers: {
        'content-type': format === 'md' ? 'text/markdown; charset=utf-8' : 'application/json',
        'content-disposition': `attachment; filename="${row.id}.${format}"`,
      },
    });
  });
}

/** Turns read at once: the transcript of a long talk does not fit into memory as one string. */
const turnsPerRead = 20;

async function* messagesOf(context: ApiContext, row: ConversationRow): AsyncGenerator<MessageRow> {
  for (let fromTurn = 0; fromTurn <= row.lastTurn; fromTurn += turnsPerRead) {
    yield* await context.store.transcript.load(row.id, { fromTurn, toTurn: fromTurn + turnsPerRead - 1 });
  }
}

async function* asJson(context: ApiContext, row: ConversationRow): AsyncGenerator<string, void> {
  const { instructions, ...conversation } = row;
  yield `{"conversation":${JSON.stringify({ ...conversation, instructions })},"messages":[`;
  let separator = '';
  for await (const message of messagesOf(context, row)) {
    yield separator + JSON.stringify(messageView(message));
    separator = ',\n';
  }
  yield ']}\n';
}

async function* asMarkdown(context: ApiContext, row: ConversationRow): AsyncGenerator<string, void> {
  const title = row.title === '' ? (row.name ?? row.id) : row.title;
  yield `# ${title.replace(/\s+/g, ' ')}\n\nConversation \`${row.id}\`, begun ${row.createdAt}.\n`;
  for await (const message of messagesOf(context, row)) yield markdownOf(message);
}

function markdownOf(message: MessageRow): string {
  const { role, text, createdAt } = message;
  if (role === 'notice') return `\n> ${text.replaceAll('\n', '\n> ')}\n`;
  if (role === 'tool') {
    const status = message.toolStatus === null ? '' : ` (${message.toolStatus})`;
    return `\n### Tool: ${message.toolName ?? ''}${status} · ${createdAt}\n\n${fenced(text)}\n`;
  }
  const calls = message.toolCalls
    .map((call) => `\nCalls \`${call.name}\`:\n\n${fenced(call.argumentsText)}\n`)
    .join('');
  const said = text === '' ? '' : `\n${text}\n`;
  return `\n## ${role === 'user' ? 'User' : 'Assistant'} · ${createdAt}\n${said}${calls}`;
}

/** The fence is longer than any inside. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((ticks) => ticks[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}${text.endsWith('\n') ? '' : '\n'}${fence}`;
}

/** Reads on only as fast as the client does; a client that goes ends the reading. */
function streamOf(pieces: AsyncGenerator<string, void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const piece = await pieces.next();
      if (piece.done === true) controller.close();
      else controller.enqueue(encoder.encode(piece.value));
    },
    cancel: async () => {
      await pieces.return(undefined);
    },
  });
}
