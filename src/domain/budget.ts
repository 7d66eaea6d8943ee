/** Limits of one turn and one day. `null` means no limit. */
export interface Budget {
  readonly maxSteps: number | null;
  readonly maxTokens: number | null;
  readonly maxCostUsd: number | null;
  readonly maxCostPerDayUsd: number | null;
  readonly maxWallTimeMs: number | null;
}

/** What has been used so far. Tokens are input plus output of all steps of the turn. */
export interface Spent {
  readonly steps: number;
  readonly tokens: number;
  readonly costUsd: number;
  readonly costTodayUsd: number;
  readonly wallTimeMs: number;
}

export type BudgetLimit = 'steps' | 'tokens' | 'cost' | 'cost-per-day' | 'wall-time';

export interface BudgetReached {
  readonly limit: BudgetLimit;
  readonly used: number;
  readonly allowed: number;
}

/**
 * Says which limit, if any, forbids one more model call.
 *
 * @param grants How often the person has already said "go on" for this turn; each grants the same amount again.
 */
export function budgetReached(budget: Budget, spent: Spent, grants: number): BudgetReached | null {
  const rows: readonly [BudgetLimit, number, number | null][] = [
    ['steps', spent.steps, budget.maxSteps],
    ['tokens', spent.tokens, budget.maxTokens],
    ['cost', spent.costUsd, budget.maxCostUsd],
    ['cost-per-day', spent.costTodayUsd, budget.maxCostPerDayUsd],
    ['wall-time', spent.wallTimeMs, budget.maxWallTimeMs],
  ];
  for (const [limit, used, base] of rows) {
    if (base === null) continue;
    const allowed = base * (grants + 1);
    if (used >= allowed) return { limit, used, allowed };
  }
  return null;
}
