import { createHash } from 'node:crypto';
import type { ModelMessage, ModelRequest, RawToolCall } from './provider.ts';

/** How an endpoint that calls itself OpenAI-compatible differs from the others. */
export interface Quirks {
  /** Name of the output limit; `max_tokens` where absent. */
  readonly maxTokensField?: 'max_tokens' | 'max_completion_tokens';
  /** False: never ask for usage in the stream. Where absent it is asked for until the server objects. */
  readonly streamUsage?: boolean;
  /** Marks what a Claude behind this endpoint may cache. */
  readonly cacheControl?: boolean;
  /** Wants a `reasoning_content` beside every tool call of the transcript, whatever it says. */
  readonly reasoningPlaceholder?: boolean;
  /** Fields every request carries. */
  readonly extraBody?: Readonly<Record<string, unknown>>;
}

const validName = /^[a-zA-Z0-9_-]{1,64}$/;
const validId = /^[a-zA-Z0-9_-]{1,40}$/;

/** The body of a streaming chat completion. What a provider would refuse in an old transcript is made acceptable. */
export function toRequestBody(request: ModelRequest, quirks: Quirks): Record<string, unknown> {
  const cached = quirks.cacheControl === true && /claude/i.test(request.model);
  const messages = request.messages.map((message) => toWireMessage(message, quirks));
  if (cached) markCacheable(messages.findLast((message) => message['role'] === 'user'));
  const system: WireMessage = { role: 'system', content: request.system };
  if (cached) markCacheable(system);
  return {
    ...quirks.extraBody,
    model: request.model,
    messages: request.system === '' ? messages : [system, ...messages],
    ...(request.tools.length === 0
      ? {}
      : { tools: request.tools.map((tool) => ({ type: 'function', function: tool })) }),
    ...(request.maxOutputTokens === undefined
      ? {}
      : { [quirks.maxTokensField ?? 'max_tokens']: request.maxOutputTokens }),
    stream: true,
    ...(quirks.streamUsage === false ? {} : { stream_options: { include_usage: true } }),
  };
}

type WireMessage = Record<string, unknown>;

function toWireMessage(message: ModelMessage, quirks: Quirks): WireMessage {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: message.text };
    case 'tool':
      return { role: 'tool', tool_call_id: wireId(message.callId), content: message.text };
    case 'assistant':
      if (message.toolCalls.length === 0) return { role: 'assistant', content: message.text };
      return {
        role: 'assistant',
        content: message.text === '' ? null : message.text,
        tool_calls: message.toolCalls.map(toWireCall),
        ...(quirks.reasoningPlaceholder === true ? { reasoning_content: '.' } : {}),
      };
  }
}

/**
 * A call is told back as it was written, except for what makes endpoints refuse the whole transcript for ever: a name
 * with characters no function may have, and arguments that are no JSON object.
 */
function toWireCall(call: RawToolCall): WireMessage {
  return {
    id: wireId(call.id),
    type: 'function',
    function: {
      name: validName.test(call.name) ? call.name : call.name.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, 64) || 'unnamed',
      arguments: isJsonObject(call.argumentsText)
        ? call.argumentsText
        : JSON.stringify({ invalid_json: call.argumentsText }),
    },
  };
}

/** Ids travel between providers when the model changes in mid-conversation; some take only short plain ones. */
function wireId(id: string): string {
  return validId.test(id) ? id : `call_${createHash('sha256').update(id).digest('hex').slice(0, 24)}`;
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false; // what the model wrote may be anything
  }
}

function markCacheable(message: WireMessage | undefined): void {
  if (typeof message?.['content'] !== 'string' || message['content'] === '') return;
  message['content'] = [{ type: 'text', text: message['content'], cache_control: { type: 'ephemeral' } }];
}

/** Everything of a request that a person or a tool wrote: what must never show up in an error. */
export function writtenTexts(request: ModelRequest): readonly string[] {
  return [
    request.system,
    ...request.messages.flatMap((message) =>
      message.role === 'assistant'
        ? [message.text, ...message.toolCalls.map((call) => call.argumentsText)]
        : [message.text],
    ),
  ];
}

/** Characters of a request as sent, for estimating tokens where nobody counts them. */
export function requestChars(request: ModelRequest): number {
  const texts = writtenTexts(request).reduce((sum, text) => sum + text.length, 0);
  return texts + (request.tools.length === 0 ? 0 : JSON.stringify(request.tools).length);
}
