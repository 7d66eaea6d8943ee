import type { UsageTotals } from '../../contracts/conversation.ts';

export const noUsage: UsageTotals = { inputTokens: 0, outputTokens: 0, costUsd: 0 };

export function addUsage(one: UsageTotals, other: UsageTotals): UsageTotals {
  return {
    inputTokens: one.inputTokens + other.inputTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    costUsd: one.costUsd + other.costUsd,
  };
}
