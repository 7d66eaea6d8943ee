import type { Context } from 'hono';
import { Refusal } from '../../refusal.ts';
import { findTarget, readAnswer } from '../answer.ts';
import type { ApiContext } from '../deps.ts';
import { agentModel } from './models.ts';
import type { AskedResponse } from './requests.ts';
import { outputItem, responseObject, type ResponseEcho } from './response-object.ts';
import type { Place, Run } from './run.ts';
import { ResponseStream } from './response-stream.ts';
import { collectRun, failure, headersOf, isAnswer, streamRun } from './streamed-run.ts';

/** The id of a response is the id of its message. */
export const responseIdPrefix = 'resp_';

/** Answers one request of the responses interface. */
export async function answerResponse(
  c: Context,
  context: ApiContext,
  asked: AskedResponse,
  run: Run,
): Promise<Response> {
  if (asked.stream) return streamRun(c, context, run, new ResponseStream(asked, run));
  const answer = await collectRun(c, context, run);
  if (!isAnswer(answer)) return failure(c, run, answer);
  const { inboundId } = run.target;
  const output = [outputItem(inboundId, 0, answer.text, 'completed')];
  return c.json(responseObject(inboundId, run.createdAt, asked, { answer, output }), 200, headersOf(run));
}

/** GET: how a response stands now. Throws a Refusal for an unknown id. */
export async function retrieveResponse(c: Context, context: ApiContext, id: string): Promise<Response> {
  const target = id.startsWith(responseIdPrefix) ? await findTarget(context.store, id) : null;
  if (target === null) throw unknownResponse(id, 'response_id');
  const [answer, row, conversation] = await Promise.all([
    readAnswer(context.store, target),
    context.store.inbox.get(id),
    context.store.conversations.get(target.conversationId),
  ]);
  const createdAt = row === null ? 0 : Math.floor(Date.parse(row.receivedAt) / 1000);
  const echo: ResponseEcho = {
    model: answer.model ?? agentModel,
    metadata: {},
    previousId: null,
    instructions: conversation?.instructions ?? undefined,
  };
  const output = answer.text === '' || !isAnswer(answer) ? [] : [outputItem(id, 0, answer.text, 'completed')];
  return c.json(responseObject(id, createdAt, echo, { answer, output }));
}

/**
 * Where a request that follows another belongs: into its conversation when it follows the last turn there, else into one
 * of its own that begins with the talk up to that point.
 */
export async function placeAfter(
  context: ApiContext,
  asked: AskedResponse,
  previousId: string,
): Promise<{ place: Place; asked: AskedResponse }> {
  const { store } = context;
  const target = await findTarget(store, previousId);
  const row = target === null ? null : await store.conversations.get(target.conversationId);
  if (target === null || row === null) throw unknownResponse(previousId, 'previous_response_id');
  const turn = target.turn ?? (await store.turns.ofInbound(previousId))?.turn ?? null;
  const last = await store.turns.last(row.id);
  const sameInstructions = asked.instructions === undefined || asked.instructions === row.instructions;
  const followsLast = turn === null || turn === last?.turn;
  if (followsLast && sameInstructions && asked.earlier.length === 0) return { place: { kind: 'existing', row }, asked };
  const said = await store.transcript.load(row.id, turn === null ? { fromTurn: 0 } : { fromTurn: 0, toTurn: turn });
  const earlier = said.flatMap(({ role, text }) =>
    (role === 'user' || role === 'assistant') && text.trim() !== '' ? [{ role, text }] : [],
  );
  const instructions = asked.instructions ?? row.instructions ?? undefined;
  return { place: { kind: 'own' }, asked: { ...asked, instructions, earlier: [...earlier, ...asked.earlier] } };
}

function unknownResponse(id: string, param: string): Refusal {
  return new Refusal('Api.NotFound', `There is no response ${id}.`, { param });
}
