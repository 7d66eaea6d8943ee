import { randomUUID } from 'node:crypto';
import type { Decision, DecisionScope } from '../contracts/conversation.ts';
import { PortError } from '../lib/port-error.ts';
import { requireConversation } from './conversations.ts';
import { now, type Database, type Sql } from './database.ts';
import type { ApprovalKind, ApprovalRepository, ApprovalRow, NewApproval } from './ports.ts';

interface ApprovalRecord extends Omit<ApprovalRow, 'kind' | 'choices' | 'state' | 'scope' | 'relayed'> {
  readonly kind: string;
  readonly choices: string;
  readonly state: string;
  readonly scope: string | null;
  readonly relayed: number;
}

const stateOf = { approve: 'approved', deny: 'denied', answer: 'answered' } as const satisfies Record<
  Decision,
  ApprovalRow['state']
>;

export function approvalRepository(database: Database): ApprovalRepository {
  return {
    ask: (approval) =>
      database.write((sql) => {
        const { personId } = requireConversation(sql, approval.conversationId);
        addApproval(sql, { ...approval, personId });
        return requireApproval(sql, approval.id);
      }),
    get: (id) => database.read((sql) => findApproval(sql, id) ?? null),
    list: (filter) =>
      database.query(async (prisma) => {
        const rows = await prisma.approval.findMany({
          where: {
            ...(filter.state === undefined ? {} : { state: filter.state }),
            ...(filter.conversationId === undefined ? {} : { conversationId: filter.conversationId }),
          },
          orderBy: [{ askedAt: 'desc' }, { id: 'desc' }],
          take: filter.limit,
        });
        return rows.map(approvalFrom);
      }),
    decide: (decision) => database.write((sql) => decide(sql, decision)),
    unrelayed: (limit) =>
      database.read((sql) =>
        sql
          .all<ApprovalRecord>(
            `SELECT * FROM Approval WHERE relayed = 0 AND state IN ('approved', 'denied', 'answered')
             ORDER BY decidedAt LIMIT :limit`,
            { limit },
          )
          .map(approvalFrom),
      ),
    markRelayed: (id) =>
      database.query(async (prisma) => {
        await prisma.approval.updateMany({ where: { id }, data: { relayed: 1 } });
      }),
    close: (id, reason) =>
      database.query(async (prisma) => {
        await prisma.approval.updateMany({
          where: { id, state: 'waiting' },
          data: { state: 'closed', answer: reason, decidedAt: now() },
        });
      }),
  };
}

/** Inside a transaction: asks a question; a second time changes nothing. */
export function addApproval(
  sql: Sql,
  approval: NewApproval & { conversationId: string; turn: number; personId: string },
): void {
  sql.run(
    `INSERT INTO Approval (id, kind, title, detail, choices, tool, ruleKey, callKey, conversationId, personId, turn,
       askedAt)
     VALUES (:id, :kind, :title, :detail, :choices, :tool, :ruleKey, :callKey, :conversationId, :personId, :turn, :at)
     ON CONFLICT (id) DO NOTHING`,
    {
      id: approval.id,
      kind: approval.kind,
      title: approval.title,
      detail: approval.detail,
      choices: JSON.stringify(approval.choices),
      tool: approval.tool,
      ruleKey: approval.ruleKey,
      callKey: approval.callKey,
      conversationId: approval.conversationId,
      personId: approval.personId,
      turn: approval.turn,
      at: now(),
    },
  );
}

/** Inside a transaction: ends every wait of a turn that has ended. */
export function closeApprovals(sql: Sql, turn: { conversationId: string; turn: number }, reason: string): void {
  sql.run(
    `UPDATE Approval SET state = 'closed', answer = :reason, decidedAt = :at
     WHERE conversationId = :conversationId AND turn = :turn AND state = 'waiting'`,
    { ...turn, reason, at: now() },
  );
}

function decide(
  sql: Sql,
  decision: Parameters<ApprovalRepository['decide']>[0],
): Awaited<ReturnType<ApprovalRepository['decide']>> {
  const asked = requireApproval(sql, decision.id);
  if (asked.state !== 'waiting') return { decided: false, row: asked };
  const at = now();
  sql.run(
    `UPDATE Approval SET state = :state, scope = :scope, answer = :answer, decidedAt = :at, decidedBy = :by
     WHERE id = :id`,
    {
      id: decision.id,
      state: stateOf[decision.decision],
      scope: decision.scope,
      answer: decision.answer,
      by: decision.by,
      at,
    },
  );
  if (decision.decision === 'approve' && decision.scope !== 'once') addRule(sql, asked, decision.scope, at);
  return { decided: true, row: requireApproval(sql, decision.id) };
}

function addRule(sql: Sql, asked: ApprovalRow, scope: 'conversation' | 'always', at: string): void {
  if (asked.tool === null || asked.ruleKey === null) return;
  sql.run(
    `INSERT INTO AllowRule (id, personId, tool, ruleKey, conversationId, createdAt)
     VALUES (:id, :personId, :tool, :ruleKey, :conversationId, :at)
     ON CONFLICT DO NOTHING`,
    {
      id: randomUUID(),
      personId: asked.personId,
      tool: asked.tool,
      ruleKey: asked.ruleKey,
      conversationId: scope === 'conversation' ? asked.conversationId : null,
      at,
    },
  );
}

function findApproval(sql: Sql, id: string): ApprovalRow | undefined {
  const row = sql.get<ApprovalRecord>('SELECT * FROM Approval WHERE id = :id', { id });
  return row === undefined ? undefined : approvalFrom(row);
}

function requireApproval(sql: Sql, id: string): ApprovalRow {
  const row = findApproval(sql, id);
  if (row !== undefined) return row;
  throw new PortError('Storage.Conflict', 'There is no such question (any more).', {
    retryable: false,
    details: { approvalId: id },
  });
}

function approvalFrom(row: ApprovalRecord): ApprovalRow {
  return {
    id: row.id,
    kind: row.kind as ApprovalKind,
    title: row.title,
    detail: row.detail,
    choices: JSON.parse(row.choices) as string[],
    tool: row.tool,
    ruleKey: row.ruleKey,
    callKey: row.callKey,
    conversationId: row.conversationId,
    personId: row.personId,
    turn: row.turn,
    state: row.state as ApprovalRow['state'],
    scope: row.scope as DecisionScope | null,
    answer: row.answer,
    relayed: row.relayed !== 0,
    askedAt: row.askedAt,
    decidedAt: row.decidedAt,
    decidedBy: row.decidedBy,
  };
}
