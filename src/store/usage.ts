import type { StepUsage } from '../contracts/activities.ts';
import type { Database, Sql } from './database.ts';
import type { UsageRepository } from './ports.ts';

export function usageRepository(database: Database): UsageRepository {
  return {
    costSince: (personId, sinceAt) =>
      database.read(
        (sql) =>
          sql.get<{ cost: number }>(
            'SELECT total(costUsd) AS cost FROM Usage WHERE personId = :personId AND at >= :sinceAt',
            // Times are compared as text: another spelling of the same moment (offset, no milliseconds) must not matter.
            { personId, sinceAt: new Date(sinceAt).toISOString() },
          )?.cost ?? 0,
      ),
    byDay: (days) =>
      database.read((sql) =>
        sql.all(
          `SELECT substr(at, 1, 10) AS day, model, count(*) AS calls, sum(inputTokens) AS inputTokens,
             sum(outputTokens) AS outputTokens, total(costUsd) AS costUsd
           FROM Usage WHERE at >= :since GROUP BY day, model ORDER BY day DESC, model`,
          { since: firstDay(days) },
        ),
      ),
  };
}

/** Inside a transaction: writes down what one model call used. */
export function addUsage(
  sql: Sql,
  call: {
    personId: string;
    conversationId: string;
    turn: number;
    step: number;
    provider: string;
    usage: StepUsage;
    cachedInputTokens: number;
    at: string;
  },
): void {
  sql.run(
    `INSERT INTO Usage (personId, conversationId, turn, step, provider, model, inputTokens, outputTokens,
       cachedInputTokens, costUsd, at)
     VALUES (:personId, :conversationId, :turn, :step, :provider, :model, :inputTokens, :outputTokens,
       :cachedInputTokens, :costUsd, :at)`,
    {
      personId: call.personId,
      conversationId: call.conversationId,
      turn: call.turn,
      step: call.step,
      provider: call.provider,
      model: call.usage.model,
      inputTokens: call.usage.inputTokens,
      outputTokens: call.usage.outputTokens,
      cachedInputTokens: call.cachedInputTokens,
      costUsd: call.usage.costUsd,
      at: call.at,
    },
  );
}

/** Start of the UTC day that makes the range `days` days long, today included. */
function firstDay(days: number): string {
  const first = new Date(Date.now() - (days - 1) * 24 * 60 * 60 * 1000);
  return first.toISOString().slice(0, 10);
}
