import type { Store } from '../../../../src/store/ports.ts';

export type CommitInput = Parameters<Store['steps']['commit']>[0];

export const usage = { inputTokens: 10, outputTokens: 5, costUsd: 0.25, model: 'test-model' };

/** A final answer, unless told otherwise. */
export function commitOf(conversationId: string, turn: number, step: number, more: Partial<CommitInput>): CommitInput {
  return {
    conversationId,
    turn,
    step,
    provider: 'test',
    usage,
    cachedInputTokens: 0,
    text: 'an answer',
    reasoning: '',
    toolCalls: [],
    planned: [],
    rejected: [],
    approvals: [],
    outcome: { kind: 'final', usage, preview: 'an answer', title: '' },
    ...more,
  };
}
