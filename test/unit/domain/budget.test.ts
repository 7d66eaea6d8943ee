import { describe, expect, it } from 'vitest';
import { budgetReached, type Budget, type Spent } from '../../../src/domain/budget.ts';

const none: Budget = { maxSteps: null, maxTokens: null, maxCostUsd: null, maxCostPerDayUsd: null, maxWallTimeMs: null };
const nothing: Spent = { steps: 0, tokens: 0, costUsd: 0, costTodayUsd: 0, wallTimeMs: 0 };

describe('a budget', () => {
  it('without limits is never reached', () => {
    expect(budgetReached(none, { ...nothing, steps: 1e9, costUsd: 1e9 }, 0)).toBeNull();
  });

  it.each([
    ['steps', { ...none, maxSteps: 3 }, { ...nothing, steps: 3 }],
    ['tokens', { ...none, maxTokens: 100 }, { ...nothing, tokens: 101 }],
    ['cost', { ...none, maxCostUsd: 0.5 }, { ...nothing, costUsd: 0.5 }],
    ['cost-per-day', { ...none, maxCostPerDayUsd: 2 }, { ...nothing, costTodayUsd: 2.5 }],
    ['wall-time', { ...none, maxWallTimeMs: 1000 }, { ...nothing, wallTimeMs: 1000 }],
  ])('names the limit that is reached: %s', (limit, budget, spent) => {
    expect(budgetReached(budget, spent, 0)?.limit).toBe(limit);
  });

  it('is raised by the same amount with each grant', () => {
    const budget = { ...none, maxSteps: 3 };
    expect(budgetReached(budget, { ...nothing, steps: 3 }, 1)).toBeNull();
    expect(budgetReached(budget, { ...nothing, steps: 6 }, 1)).toEqual({ limit: 'steps', used: 6, allowed: 6 });
  });
});
