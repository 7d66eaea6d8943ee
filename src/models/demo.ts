import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { demoExamples, readCommands, type DemoCall } from './demo-commands.ts';
import type { ModelAnswer, ModelMessage, ModelProvider, ModelRequest } from './provider.ts';

const notAModel =
  'I am **demo**, a stand-in made of a few rules, and no language model. All around me is real: the tools, the memory, the ' +
  'approvals. `hermes setup` puts a real model in my place.';

const shownChars = 4_000;
const charsPerDelta = 24;
const charsPerToken = 4;

/**
 * A provider that needs no key and understands a few phrases, so that every tool can be tried without a model. The answer
 * depends on the request alone.
 */
export function createDemoProvider(): ModelProvider & { warmUp(): Promise<void> } {
  return {
    id: 'demo',
    warmUp: () => Promise.resolve(),
    async generate(request, control) {
      control.signal.throwIfAborted();
      const answer = answerDemo(request);
      for (let at = 0; at < answer.text.length; at += charsPerDelta) {
        control.onDelta({ channel: 'answer', text: answer.text.slice(at, at + charsPerDelta) });
        await nextTurn();
        control.signal.throwIfAborted();
      }
      return answer;
    },
    listModels: () => Promise.resolve([{ name: 'demo', contextTokens: 100_000 }]),
  };
}

/** The answer without the streaming. Pure. */
export function answerDemo(request: ModelRequest): ModelAnswer {
  const recent = request.messages.slice(request.messages.findLastIndex((message) => message.role === 'assistant') + 1);
  const known = new Set(request.tools.map((tool) => tool.name));
  const wishes = recent.filter((message) => message.role === 'user').map((message) => readWish(message.text));
  const calls = wishes.flatMap((wish) => wish.calls).filter((call) => known.has(call.name));
  const missing = wishes.flatMap((wish) => wish.calls).filter((call) => !known.has(call.name));
  const puzzled = wishes.some((wish) => wish.puzzled);

  const parts = [
    ...recent.filter((message) => message.role === 'tool').map(reportResult),
    ...missing.map((call) => `I have no tool \`${call.name}\` here.`),
    ...(puzzled ? [help(known)] : []),
  ];
  // Before a tool runs there is nothing to say; the introduction waits for the first words.
  if (parts.length > 0 && !request.messages.some(introduced)) parts.push(notAModel);
  const text = parts.length === 0 && calls.length === 0 ? notAModel : parts.join('\n\n');
  return {
    text,
    reasoning: '',
    toolCalls: calls.map((call, index) => ({
      id: callId(request, index),
      name: call.name,
      argumentsText: JSON.stringify(call.args),
    })),
    usage: {
      inputTokens: Math.ceil(JSON.stringify(request.messages).length / charsPerToken),
      outputTokens: Math.ceil((text.length + JSON.stringify(calls).length) / charsPerToken),
      cachedInputTokens: 0,
      costUsd: 0,
    },
    finishReason: calls.length > 0 ? 'tool-calls' : 'stop',
    model: 'demo',
  };
}

function readWish(text: string): { readonly calls: readonly DemoCall[]; readonly puzzled: boolean } {
  // Notes the agent puts between the lines are no wishes.
  if (text.startsWith('[note of the system')) return { calls: [], puzzled: false };
  const calls = readCommands(text);
  return { calls, puzzled: calls.length === 0 };
}

function introduced(message: ModelMessage): boolean {
  return message.role === 'assistant' && message.text.includes(notAModel);
}

function reportResult(message: Extract<ModelMessage, { role: 'tool' }>): string {
  const result = message.text.trim();
  if (result === '') return `\`${message.name}\` is done and says nothing.`;
  const shown =
    result.length > shownChars ? `${result.slice(0, shownChars)}\n… (${String(result.length)} characters)` : result;
  // A fence longer than any inside, so that the result cannot break out of it.
  const longest = Math.max(2, ...[...shown.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `\`${message.name}\` says:\n\n${fence}\n${shown}\n${fence}`;
}

function help(known: ReadonlySet<string>): string {
  const lines = demoExamples
    .filter(([example]) => readCommands(example).every((call) => known.has(call.name)))
    .map(([example, meaning]) => `- \`${example}\`: ${meaning}`);
  if (lines.length === 0) return 'I did not understand that, and there are no tools here that I could try.';
  return `I did not understand that. Try one of these:\n\n${lines.join('\n')}`;
}

/** Unique within a conversation, yet the same for the same request. */
function callId(request: ModelRequest, index: number): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([request.messages, index]))
    .digest('hex');
  return `call_${hash.slice(0, 24)}`;
}
