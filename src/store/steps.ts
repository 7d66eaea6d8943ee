import type { ModelStepOutcome } from '../contracts/activities.ts';
import type { ReplyAddress } from '../contracts/conversation.ts';
import { PortError } from '../lib/port-error.ts';
import { addApproval, closeApprovals } from './approvals.ts';
import { requireConversation } from './conversations.ts';
import { now, type Database, type Sql } from './database.ts';
import { ownInbound, takeInbound } from './inbox.ts';
import { enqueueMessage } from './outbox.ts';
import type { ConversationRow, StepRepository } from './ports.ts';
import { planToolCalls } from './tool-calls.ts';
import { addMessage, slots } from './transcript.ts';
import { beginTurn, noteTaken, turnState } from './turns.ts';
import { addUsage } from './usage.ts';

type Begin = Parameters<StepRepository['begin']>[0];
type Begun = Awaited<ReturnType<StepRepository['begin']>>;
type Answer = Parameters<StepRepository['commit']>[0];
type Committed = Awaited<ReturnType<StepRepository['commit']>>;

interface StepRecord {
  readonly attempts: number;
  readonly outcome: string | null;
}

export function stepRepository(database: Database): StepRepository {
  return {
    // Undone by a power cut, Temporal, which forgets nothing, tries the step again and it begins again.
    begin: (step) => database.writeRelaxed((sql) => begin(sql, step)),
    commit: (answer) => database.write((sql) => commit(sql, answer)),
  };
}

function begin(sql: Sql, step: Begin): Begun {
  const { conversationId, turn } = step;
  const key = { conversationId, turn, step: step.step };
  const found = findStep(sql, key);
  const own = ownInbound(sql, key, step.inboundIds);
  const begun = { taken: own.map((row) => row.id), attempt: (found?.attempts ?? 0) + 1 };
  if (found?.outcome !== null && found?.outcome !== undefined) {
    const journal = JSON.parse(found.outcome) as ModelStepOutcome;
    return { ...begun, journal, attempt: found.attempts, ...placeOf(sql, key) };
  }
  // All of it belongs to an earlier turn: this one was started by a repeat and must leave no trace.
  const repeated = own.length === 0 && step.inboundIds.length > 0 && turnState(sql, conversationId, turn) === undefined;
  if (!repeated) {
    requireConversation(sql, conversationId);
    if (beginTurn(sql, conversationId, turn) !== 'running') throw over(key);
    sql.run(
      `INSERT INTO Step (conversationId, turn, step, attempts, startedAt) VALUES (:conversationId, :turn, :step, 1, :at)
       ON CONFLICT (conversationId, turn, step) DO UPDATE SET attempts = attempts + 1`,
      { ...key, at: now() },
    );
    const fresh = takeInbound(sql, key, own);
    noteTaken(sql, { conversationId, turn }, fresh, fresh.length);
  }
  return { ...begun, journal: null, ...placeOf(sql, key) };
}

/** The conversation, and where the turn's newest message came from: a conversation moves with its person. */
function placeOf(
  sql: Sql,
  turn: { conversationId: string; turn: number },
): { readonly conversation: ConversationRow; readonly platform: string } {
  const conversation = requireConversation(sql, turn.conversationId);
  const newest = sql.get<{ platform: string }>(
    `SELECT platform FROM Inbound WHERE conversationId = :conversationId AND state = 'taken' AND turn = :turn
     ORDER BY seq DESC LIMIT 1`,
    { conversationId: turn.conversationId, turn: turn.turn },
  );
  return { conversation, platform: newest?.platform ?? conversation.platform };
}

function commit(sql: Sql, answer: Answer): Committed {
  const key = { conversationId: answer.conversationId, turn: answer.turn, step: answer.step };
  const earlier = findStep(sql, key)?.outcome;
  if (earlier !== null && earlier !== undefined) {
    return { committed: false, outcome: JSON.parse(earlier) as ModelStepOutcome };
  }
  const { personId } = requireConversation(sql, answer.conversationId);
  const at = now();
  addUsage(sql, { ...key, personId, at, ...answer });
  const state = beginTurn(sql, answer.conversationId, answer.turn);
  if (state !== 'running') {
    // The turn was ended while the model was thinking: what it said is dropped, what it cost is not.
    addTotals(sql, answer, { at, messages: 0, title: null });
    return { committed: false, outcome: answer.outcome };
  }
  sql.run(
    `INSERT INTO Step (conversationId, turn, step, provider, outcome, startedAt, answeredAt)
     VALUES (:conversationId, :turn, :step, :provider, :outcome, :at, :at)
     ON CONFLICT (conversationId, turn, step) DO UPDATE SET
       provider = excluded.provider, outcome = excluded.outcome, answeredAt = excluded.answeredAt`,
    { ...key, provider: answer.provider, outcome: JSON.stringify(answer.outcome), at },
  );
  addAnswer(sql, answer, personId);
  planToolCalls(sql, key, answer.planned);
  for (const approval of answer.approvals) {
    addApproval(sql, { ...approval, conversationId: answer.conversationId, turn: answer.turn, personId });
  }
  addTotals(sql, answer, { at, messages: 1 + answer.rejected.length, title: answer.title ?? null });
  noteOnTurn(sql, answer, at);
  if (answer.outcome.kind === 'final') sendAnswer(sql, answer);
  return { committed: true, outcome: answer.outcome };
}

function addAnswer(sql: Sql, answer: Answer, personId: string): void {
  const place = { conversationId: answer.conversationId, turn: answer.turn, step: answer.step, personId };
  addMessage(sql, {
    ...place,
    slot: slots.assistant,
    role: 'assistant',
    text: answer.text,
    reasoning: answer.reasoning === '' ? null : answer.reasoning,
    toolCalls: answer.toolCalls,
    speaker: 'assistant',
  });
  for (const call of answer.rejected) {
    addMessage(sql, {
      ...place,
      slot: slots.toolResult(call.index),
      role: 'tool',
      text: call.text,
      toolCallId: call.toolCallId,
      toolName: call.name,
      toolStatus: 'error',
      speaker: call.name,
    });
  }
}

/**
 * The answer of a turn that came from a chat is on its way with the very commit that ends the turn. `deliverMessage`, which
 * the workflow calls next, finds it there.
 */
function sendAnswer(sql: Sql, { conversationId, turn, text }: Answer): void {
  const to = replyAddressOf(sql, { conversationId, turn });
  if (to === null || text.trim() === '') return;
  enqueueMessage(sql, { id: `${conversationId}/${String(turn)}`, kind: 'text', to, conversationId, turn, text });
}

/** Where the turn was handed over to, else where its newest message from a chat came from. */
function replyAddressOf(sql: Sql, turn: { conversationId: string; turn: number }): ReplyAddress | null {
  const found =
    sql.get<{ address: string }>(
      'SELECT "to" AS address FROM Handoff WHERE conversationId = :conversationId AND turn = :turn',
      turn,
    ) ??
    sql.get<{ address: string }>(
      `SELECT replyTo AS address FROM Inbound WHERE conversationId = :conversationId AND turn = :turn
       AND state = 'taken' AND replyTo IS NOT NULL ORDER BY seq DESC LIMIT 1`,
      turn,
    );
  return found === undefined ? null : (JSON.parse(found.address) as ReplyAddress);
}

function noteOnTurn(sql: Sql, answer: Answer, at: string): void {
  const final = answer.outcome.kind === 'final';
  sql.run(
    `UPDATE Turn SET steps = steps + 1, inputTokens = inputTokens + :inputTokens,
       outputTokens = outputTokens + :outputTokens, costUsd = costUsd + :costUsd, model = :model,
       state = CASE WHEN :final THEN 'done' ELSE state END, endedAt = CASE WHEN :final THEN :at ELSE endedAt END,
       answer = CASE WHEN :final THEN :text ELSE answer END
     WHERE conversationId = :conversationId AND turn = :turn`,
    {
      conversationId: answer.conversationId,
      turn: answer.turn,
      ...amounts(answer),
      model: answer.usage.model,
      final: final ? 1 : 0,
      text: answer.text,
      at,
    },
  );
  if (final) closeApprovals(sql, { conversationId: answer.conversationId, turn: answer.turn }, 'done');
}

function addTotals(sql: Sql, answer: Answer, more: { at: string; messages: number; title: string | null }): void {
  sql.run(
    `UPDATE Conversation SET inputTokens = inputTokens + :inputTokens, outputTokens = outputTokens + :outputTokens,
       costUsd = costUsd + :costUsd, messageCount = messageCount + :messages, title = ifnull(:title, title),
       lastTurn = max(lastTurn, :turn), updatedAt = :at
     WHERE id = :conversationId`,
    { conversationId: answer.conversationId, turn: answer.turn, ...amounts(answer), ...more },
  );
}

function amounts({ usage }: Answer): { inputTokens: number; outputTokens: number; costUsd: number } {
  return { inputTokens: usage.inputTokens, outputTokens: usage.outputTokens, costUsd: usage.costUsd };
}

function findStep(sql: Sql, key: { conversationId: string; turn: number; step: number }): StepRecord | undefined {
  return sql.get<StepRecord>(
    'SELECT attempts, outcome FROM Step WHERE conversationId = :conversationId AND turn = :turn AND step = :step',
    key,
  );
}

function over(key: { conversationId: string; turn: number; step: number }): PortError {
  return new PortError('Storage.Conflict', `Turn ${key.turn} is over; it takes no more steps.`, {
    retryable: false,
    details: key,
  });
}
