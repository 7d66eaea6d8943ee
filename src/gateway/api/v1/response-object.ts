import type { Answer } from '../../../contracts/api.ts';
import { failedTurn } from './openai-errors.ts';
import type { AskedResponse } from './requests.ts';
import { hashOf } from './run.ts';
import { extension } from './streamed-run.ts';

/** What a response object echoes of its request. */
export type ResponseEcho = Pick<AskedResponse, 'model' | 'metadata' | 'previousId' | 'instructions'>;

export interface OutputItem {
  readonly type: 'message';
  readonly id: string;
  readonly role: 'assistant';
  readonly status: 'completed' | 'incomplete' | 'in_progress';
  readonly content: readonly { type: 'output_text'; text: string; annotations: never[]; logprobs: never[] }[];
}

export function outputItem(responseId: string, index: number, text: string, status: OutputItem['status']): OutputItem {
  return {
    type: 'message',
    id: `msg_${hashOf(`${responseId}/${String(index)}`).slice(0, 32)}`,
    role: 'assistant',
    status,
    content: status === 'in_progress' ? [] : [{ type: 'output_text', text, annotations: [], logprobs: [] }],
  };
}

export function responseObject(
  id: string,
  createdAt: number,
  echo: ResponseEcho,
  state: { answer: Answer | null; output: readonly OutputItem[] },
) {
  const { answer, output } = state;
  const failed = answer !== null && (answer.state === 'failed' || answer.state === 'interrupted');
  const error = failed ? { code: 'server_error', message: failedTurn(answer).error.message } : null;
  return {
    id,
    object: 'response',
    created_at: createdAt,
    status: statusOf(answer),
    background: false,
    error,
    incomplete_details: null,
    instructions: echo.instructions ?? null,
    max_output_tokens: null,
    metadata: echo.metadata,
    model: echo.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: echo.previousId,
    reasoning: { effort: null, summary: null },
    store: true,
    temperature: null,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: null,
    truncation: 'disabled',
    usage: answer === null || answer.state === 'pending' ? null : usageOf(answer),
    user: null,
    ...(answer === null ? {} : { hermes: extension(answer) }),
  };
}

function statusOf(answer: Answer | null): string {
  if (answer === null || answer.state === 'pending') return 'in_progress';
  if (answer.state === 'done') return 'completed';
  if (answer.state === 'waiting') return 'incomplete';
  return answer.state === 'interrupted' ? 'cancelled' : 'failed';
}

function usageOf({ usage }: Answer) {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}
