import { randomUUID } from 'node:crypto';
import { createThinkSplitter, type Channel } from './think-blocks.ts';
import type { ModelAnswer, ModelUsage, RawToolCall } from './provider.ts';

/** Roughly right for English and code, and only used where the server counts nothing. */
const charsPerToken = 4;

type Fields = Readonly<Record<string, unknown>>;

interface PendingCall {
  id: string;
  name: string;
  argumentsText: string;
  readonly index: number | undefined;
}

/** Puts an answer together from the chunks of a chat completion stream, whoever wrote them. */
export interface AnswerAssembly {
  /** Takes one chunk; calls `onDelta` before it returns. Also takes a whole completion that came without streaming. */
  accept(chunk: Fields): void;
  /** True once a finish reason was seen: what follows may be lost without harm. */
  readonly finished: boolean;
  /** True once anything of an answer was seen. */
  readonly begun: boolean;
  finish(requested: { readonly model: string; readonly inputChars: number }): ModelAnswer;
}

export function createAnswerAssembly(onDelta: (delta: { channel: Channel; text: string }) => void): AnswerAssembly {
  const text: Record<Channel, string> = { answer: '', reasoning: '' };
  const calls: PendingCall[] = [];
  let finishReason: string | null = null;
  let usage: Fields | undefined;
  let model = '';

  const emit = (channel: Channel, piece: string): void => {
    text[channel] += piece;
    onDelta({ channel, text: piece });
  };
  const splitter = createThinkSplitter(emit);

  const acceptDelta = (delta: Fields): void => {
    const reasoning = string(delta['reasoning']) || string(delta['reasoning_content']);
    if (reasoning !== '') emit('reasoning', reasoning);
    acceptContent(delta['content'], splitter.push, (piece) => emit('reasoning', piece));
    const refusal = string(delta['refusal']);
    if (refusal !== '') splitter.push(refusal);
    for (const call of list(delta['tool_calls'])) acceptCall(calls, call);
  };

  return {
    accept(chunk) {
      model ||= string(chunk['model']);
      usage = record(chunk['usage']) ?? usage;
      // Only the first choice is ever asked for.
      const choice = list(chunk['choices'])[0];
      if (choice === undefined) return;
      usage = record(choice['usage']) ?? usage;
      const delta = record(choice['delta']) ?? record(choice['message']);
      if (delta) acceptDelta(delta);
      finishReason = string(choice['finish_reason']) || finishReason;
    },
    get finished() {
      return finishReason !== null;
    },
    get begun() {
      return text.answer !== '' || text.reasoning !== '' || calls.length > 0;
    },
    finish(requested) {
      splitter.end();
      const toolCalls = finishCalls(calls);
      return {
        text: text.answer,
        reasoning: text.reasoning,
        toolCalls,
        usage: toUsage(usage, {
          inputChars: requested.inputChars,
          outputChars:
            text.answer.length + text.reasoning.length + sum(toolCalls.map((call) => call.argumentsText.length)),
        }),
        finishReason: toFinishReason(finishReason, toolCalls.length > 0),
        model: model || requested.model,
      };
    },
  };
}

/** Content is a string, or a list of parts of which some are thoughts. */
function acceptContent(content: unknown, answer: (text: string) => void, reasoning: (text: string) => void): void {
  if (typeof content === 'string') {
    if (content !== '') answer(content);
    return;
  }
  for (const part of list(content)) {
    const thoughts =
      string(part['thinking']) ||
      list(part['thinking'])
        .map((item) => string(item['text']))
        .join('');
    if (thoughts !== '') reasoning(thoughts);
    const text = string(part['text']);
    if (text !== '') answer(text);
  }
}

/**
 * Adds a piece to the call it belongs to. Peers differ: pieces come by index, by id, by neither; some give every call
 * index 0, some the same id, some repeat id and name with each piece, some send arguments as an object at once.
 */
function acceptCall(calls: PendingCall[], piece: Fields): void {
  const inner = record(piece['function']) ?? {};
  const index = typeof piece['index'] === 'number' ? piece['index'] : undefined;
  const id = string(piece['id']);
  const name = string(inner['name']);
  const raw = inner['arguments'];
  const argumentsText = typeof raw === 'string' ? raw : raw === undefined || raw === null ? '' : JSON.stringify(raw);

  const known = findCall(calls, { index, id, name, argumentsText });
  if (!known) {
    calls.push({ index, id, name, argumentsText });
    return;
  }
  known.id ||= id;
  // A repeated name says nothing new; a different one before any argument is the rest of it.
  if (name !== '' && name !== known.name && known.argumentsText === '') known.name += name;
  known.argumentsText += argumentsText;
}

interface CallPiece {
  readonly index: number | undefined;
  readonly id: string;
  readonly name: string;
  readonly argumentsText: string;
}

function findCall(calls: readonly PendingCall[], piece: CallPiece): PendingCall | undefined {
  const candidate =
    piece.index !== undefined
      ? calls.findLast((call) => call.index === piece.index)
      : piece.id !== ''
        ? calls.findLast((call) => call.id === piece.id)
        : // Neither index nor id: a name begins a call, anything else goes on with the newest.
          piece.name === ''
          ? calls.at(-1)
          : undefined;
  return candidate && !startsAnother(candidate, piece) ? candidate : undefined;
}

/** Whether a piece that points at `call` cannot be part of it. */
function startsAnother(call: PendingCall, piece: CallPiece): boolean {
  if (piece.id !== '' && call.id !== '' && piece.id !== call.id) return true;
  if (piece.name === '' || call.argumentsText === '') return false;
  return piece.name !== call.name || (piece.argumentsText !== '' && isCompleteObject(call.argumentsText));
}

function isCompleteObject(text: string): boolean {
  if (!text.trimEnd().endsWith('}')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // more is to come
  }
}

/** Every call gets an id of its own: the transcript pairs calls and results by it. */
function finishCalls(calls: readonly PendingCall[]): readonly RawToolCall[] {
  const taken = new Set<string>();
  return calls.map((call) => {
    const id = call.id === '' || taken.has(call.id) ? `call_${randomUUID().replaceAll('-', '').slice(0, 24)}` : call.id;
    taken.add(id);
    return {
      id,
      name: call.name === '' ? 'unnamed' : call.name,
      argumentsText: call.argumentsText.trim() === '' ? '{}' : call.argumentsText,
    };
  });
}

function toFinishReason(reason: string | null, hasCalls: boolean): ModelAnswer['finishReason'] {
  switch (reason) {
    case 'length':
    case 'max_tokens':
      return 'length';
    case 'content_filter':
      return 'content-filter';
    case 'stop':
    case 'end_turn':
    case 'tool_calls':
    case 'function_call':
      // Several servers say `stop` beside calls, and a few `tool_calls` beside none.
      return hasCalls ? 'tool-calls' : 'stop';
    default:
      return hasCalls ? 'tool-calls' : 'other';
  }
}

function toUsage(
  usage: Fields | undefined,
  chars: { readonly inputChars: number; readonly outputChars: number },
): ModelUsage {
  const details = record(usage?.['prompt_tokens_details']);
  const costUsd = toCost(usage);
  const inputTokens = count(usage?.['prompt_tokens']) ?? Math.ceil(chars.inputChars / charsPerToken);
  const cached =
    count(details?.['cached_tokens']) ??
    count(usage?.['cached_tokens']) ??
    count(usage?.['prompt_cache_hit_tokens']) ??
    0;
  return {
    inputTokens,
    outputTokens: count(usage?.['completion_tokens']) ?? Math.ceil(chars.outputChars / charsPerToken),
    cachedInputTokens: Math.min(cached, inputTokens),
    ...(costUsd === undefined ? {} : { costUsd }),
  };
}

/** OpenRouter's `cost`; with a key of one's own it is only the fee, and the model's price stands beside it. */
function toCost(usage: Fields | undefined): number | undefined {
  const cost = count(usage?.['cost']);
  if (cost === undefined || usage?.['is_byok'] !== true) return cost;
  return cost + (count(record(usage['cost_details'])?.['upstream_inference_cost']) ?? 0);
}

export function record(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter((item): item is Fields => record(item) !== undefined) : [];
}

export function string(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A number that may count or cost something; some servers write -1, null or a numeral in quotes. */
function count(value: unknown): number | undefined {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
