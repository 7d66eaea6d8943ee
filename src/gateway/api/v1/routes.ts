import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { Refusal } from '../../refusal.ts';
import type { ApiContext } from '../deps.ts';
import { answerChat } from './chat.ts';
import { describeV1 } from './describe.ts';
import { agentModel, ModelCatalogue, modelObject } from './models.ts';
import { readChatRequest, readResponsesRequest } from './requests.ts';
import { answerResponse, placeAfter, responseIdPrefix, retrieveResponse } from './responses.ts';
import { beginRun, hashOf, type Place, type RunRequest } from './run.ts';

/** The interfaces of OpenAI, for clients that know nothing else. */
export function v1Routes(app: OpenAPIHono, context: ApiContext): void {
  const models = new ModelCatalogue(() => context.listModels(), context.log);
  describeV1(app);

  app.post('/v1/chat/completions', async (c) => {
    const { body, idempotency } = await readBody(c);
    const asked = readChatRequest(body);
    const place = namedPlace(c) ?? { kind: 'own' };
    const run = await beginRun(context, { models, asked, place, idPrefix: 'chat-', idempotency });
    return answerChat(c, context, asked, run);
  });

  app.post('/v1/responses', async (c) => {
    const { body, idempotency } = await readBody(c);
    const requested = readResponsesRequest(body);
    const { place, asked } = await placeOfResponse(context, c, requested);
    const run = await beginRun(context, { models, asked, place, idPrefix: responseIdPrefix, idempotency });
    return answerResponse(c, context, asked, run);
  });

  app.get('/v1/responses/:id', (c) => retrieveResponse(c, context, c.req.param('id')));

  app.get('/v1/models', async (c) => {
    const ids = [agentModel, ...(await models.ids())];
    return c.json({ object: 'list', data: ids.map(modelObject) });
  });

  // Names of models hold slashes.
  app.get('/v1/models/:id{.+}', async (c) => {
    const id = c.req.param('id');
    if (id === agentModel || (await models.has(id))) return c.json(modelObject(id));
    throw new Refusal('Api.NotFound', `There is no model ${id}.`, { param: 'model' });
  });
}

async function placeOfResponse(
  context: ApiContext,
  c: Context,
  asked: ReturnType<typeof readResponsesRequest>,
): Promise<{ place: Place; asked: typeof asked }> {
  const named = namedPlace(c);
  if (asked.previousId === null) return { place: named ?? { kind: 'own' }, asked };
  if (named === null) return placeAfter(context, asked, asked.previousId);
  throw new Refusal('Api.Invalid', 'X-Hermes-Conversation and previous_response_id exclude each other.', {
    param: 'previous_response_id',
  });
}

function namedPlace(c: Context): Place | null {
  const header = c.req.header('x-hermes-conversation');
  if (header === undefined) return null;
  const name = decoded(header).trim();
  if (name !== '' && name.length <= 120) return { kind: 'named', name };
  throw new Refusal('Api.Invalid', 'X-Hermes-Conversation holds the name or id of a conversation, percent-encoded.');
}

/** Names beyond Latin-1 do not fit into a header as they are. */
function decoded(header: string): string {
  try {
    return decodeURIComponent(header);
  } catch {
    // A lone percent sign: the name is meant as it stands.
    return header;
  }
}

async function readBody(c: Context): Promise<{ body: unknown; idempotency: RunRequest['idempotency'] }> {
  const text = await c.req.text();
  const key = c.req.header('idempotency-key');
  if (key !== undefined && (key === '' || key.length > 255)) {
    throw new Refusal('Api.Invalid', 'An idempotency key has 1 to 255 characters.');
  }
  // Path and conversation are part of what was asked.
  const asked = [c.req.path, c.req.header('x-hermes-conversation') ?? '', text].join('\n');
  return {
    body: parseJson(text),
    idempotency: key === undefined ? null : { key: `v1:${key}`, requestHash: hashOf(asked) },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal('Api.Invalid', `The body is not JSON: ${(error as Error).message}`);
  }
}
