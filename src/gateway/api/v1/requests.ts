import { z } from 'zod';
import { Refusal } from '../../refusal.ts';
import { longestText } from '../../submit.ts';
import { refusalOf } from '../errors.ts';

/** What a request of either OpenAI interface comes down to. */
export interface AskedTurn {
  /** Echoed in the answer. */
  readonly model: string;
  readonly stream: boolean;
  /** The last user message: what the turn is about. */
  readonly text: string;
  /** What was said before it, for a conversation that begins with this request. */
  readonly earlier: readonly { readonly role: 'user' | 'assistant'; readonly text: string }[];
  readonly instructions: string | undefined;
}
export interface AskedChat extends AskedTurn {
  readonly includeUsage: boolean;
}
export interface AskedResponse extends AskedTurn {
  readonly previousId: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

const part = z.looseObject({ type: z.string(), text: z.string().optional(), refusal: z.string().optional() });
const content = z.union([z.string(), z.array(part), z.null()]).optional();
const message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
  content,
});
const common = {
  model: z.string().min(1).max(200),
  stream: z.boolean().nullish(),
  tools: z.array(z.unknown()).nullish(),
};
export const chatRequest = z.looseObject({
  ...common,
  messages: z.array(message).min(1),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  n: z.number().nullish(),
  functions: z.array(z.unknown()).nullish(),
  modalities: z.array(z.string()).nullish(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
  logprobs: z.boolean().nullish(),
});
const inputItem = z.looseObject({ type: z.string().optional(), role: z.string().optional(), content });
export const responsesRequest = z.looseObject({
  ...common,
  input: z.union([z.string(), z.array(inputItem).min(1)]),
  instructions: z.string().nullish(),
  previous_response_id: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  background: z.boolean().nullish(),
  conversation: z.unknown().optional(),
  text: z.looseObject({ format: z.looseObject({ type: z.string() }).optional() }).nullish(),
});

/** @throws Refusal for what is malformed, and for what would change the answer and cannot be honoured. */
export function readChatRequest(body: unknown): AskedChat {
  const request = parse(chatRequest, body);
  refuseTools(request.tools ?? request.functions);
  refuseIf((request.n ?? 1) !== 1, 'n', 'One answer is given per request.');
  refuseIf(request.logprobs === true, 'logprobs', 'Log probabilities are not available.');
  refuseIf(
    (request.modalities ?? ['text']).some((mode) => mode !== 'text'),
    'modalities',
    'Answers are text.',
  );
  refuseIf((request.response_format?.type ?? 'text') !== 'text', 'response_format', noFormat);
  return {
    ...readMessages(request.messages, 'messages'),
    model: request.model,
    stream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
  };
}

/** @throws Refusal, as `readChatRequest`. */
export function readResponsesRequest(body: unknown): AskedResponse {
  const request = parse(responsesRequest, body);
  refuseTools(request.tools);
  refuseIf(
    request.background === true,
    'background',
    'A turn goes on without its client anyway; ask for it by its id.',
  );
  refuseIf(request.conversation !== undefined && request.conversation !== null, 'conversation', useHeader);
  refuseIf((request.text?.format?.type ?? 'text') !== 'text', 'text.format', noFormat);
  const items = typeof request.input === 'string' ? [{ role: 'user', content: request.input }] : request.input;
  const read = readMessages(items.filter(isTalk).map(asMessage), 'input');
  const instructions = [request.instructions ?? undefined, read.instructions].filter((text) => text !== undefined);
  return {
    ...read,
    instructions: instructions.length === 0 ? undefined : instructions.join('\n\n'),
    model: request.model,
    stream: request.stream ?? false,
    previousId: request.previous_response_id ?? null,
    metadata: request.metadata ?? {},
  };
}

const noFormat = 'The form of the answer cannot be guaranteed; ask for it in words.';
const useHeader = 'Use the header X-Hermes-Conversation or previous_response_id.';

type Message = z.infer<typeof message>;
type InputItem = z.infer<typeof inputItem>;

function parse<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw refusalOf(result.error, 'body');
}

function isTalk(item: InputItem): boolean {
  if (item.type === 'reasoning') return false;
  refuseIf((item.type ?? 'message') !== 'message', 'input', `Items of type ${item.type ?? ''} are not supported.`);
  return true;
}

function asMessage(item: InputItem): Message {
  return parse(message, item);
}

function readMessages(
  messages: readonly Message[],
  param: string,
): Pick<AskedTurn, 'text' | 'earlier' | 'instructions'> {
  const system: string[] = [];
  const talk: { role: 'user' | 'assistant'; text: string }[] = [];
  for (const { role, content: said } of messages) {
    const text = textOf(said, param);
    if (role === 'system' || role === 'developer') system.push(text);
    else if (role === 'user' || role === 'assistant') talk.push({ role, text });
    else throw notSupported(param, 'Messages of tools are not supported: the agent runs its own tools.');
  }
  const last = talk.pop();
  if (last?.role !== 'user') throw new Refusal('Api.Invalid', 'The last message must be of the user.', { param });
  if (last.text.trim() === '') throw new Refusal('Api.Invalid', 'The last message is empty.', { param });
  if (last.text.length > longestText) {
    throw new Refusal('Api.TooLarge', `A message has at most ${String(longestText)} characters.`, { param });
  }
  const instructions = system.filter((text) => text.trim() !== '').join('\n\n');
  return {
    text: last.text,
    // An assistant's message that only called tools says nothing.
    earlier: talk.filter(({ text }) => text.trim() !== ''),
    instructions: instructions === '' ? undefined : instructions,
  };
}

const textParts = new Set(['text', 'input_text', 'output_text', 'refusal']);

function textOf(said: Message['content'], param: string): string {
  if (said === undefined || said === null) return '';
  if (typeof said === 'string') return said;
  return said
    .map((piece) => {
      if (textParts.has(piece.type)) return piece.text ?? piece.refusal ?? '';
      const what = piece.type.includes('image') ? 'Images' : `Parts of type ${piece.type}`;
      throw notSupported(param, `${what} are not supported yet: send text, or name a file the agent can read.`);
    })
    .join('\n');
}

function refuseTools(tools: readonly unknown[] | null | undefined): void {
  const given = tools !== null && tools !== undefined && tools.length > 0;
  refuseIf(given, 'tools', 'The agent runs its own tools and cannot call those of the client.');
}

function refuseIf(condition: boolean, param: string, why: string): void {
  if (condition) throw notSupported(param, why);
}

function notSupported(param: string, why: string): Refusal {
  return new Refusal('Api.NotSupported', why, { param });
}
