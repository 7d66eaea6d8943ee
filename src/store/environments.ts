import type { EnvironmentHandleJson, EnvironmentPhase } from '../contracts/environment.ts';
import { PortError } from '../lib/port-error.ts';
import { now, type Database, type Sql } from './database.ts';
import type { EnvironmentEnd, EnvironmentRepository, EnvironmentRow } from './environment-ports.ts';

/** Lines of the log that are kept. */
const logLines = 20;

interface EnvironmentRecordRow {
  readonly environmentId: string;
  readonly personId: string;
  readonly backend: string;
  readonly handle: string | null;
  readonly phase: string;
  readonly generation: number;
  readonly fence: number;
  readonly awakeSince: string | null;
  readonly sleepingSince: string | null;
  readonly sleptMs: number;
  readonly lastWakeMs: number | null;
  readonly failureCode: string | null;
  readonly failureMessage: string | null;
  readonly log: string;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export function environmentRepository(database: Database): EnvironmentRepository {
  return {
    get: (environmentId) =>
      database.read((sql) => {
        const row = find(sql, environmentId);
        return row === undefined ? null : rowFrom(row);
      }),
    list: (filter = {}) =>
      database.query(async (prisma) => {
        const rows = await prisma.environment.findMany({
          where: filter.personId === undefined ? {} : { personId: filter.personId },
          orderBy: [{ updatedAt: 'desc' }, { environmentId: 'asc' }],
        });
        return rows.map(rowFrom);
      }),
    begin: (change) => database.write((sql) => begin(sql, change)),
    commit: (environmentId, fence, handle) =>
      database.write((sql) => {
        const changed = sql.run(
          `UPDATE Environment SET handle = :handle, updatedAt = :at
           WHERE environmentId = :environmentId AND fence = :fence`,
          { environmentId, fence, handle: JSON.stringify(handle), at: now() },
        );
        if (changed === 0) throw overtaken(environmentId);
      }),
    settle: (environmentId, fence, end) => database.write((sql) => settle(sql, environmentId, fence, end)),
    note: (environmentId, line) =>
      database.write((sql) => {
        const row = find(sql, environmentId);
        if (row === undefined) return;
        sql.run('UPDATE Environment SET log = :log WHERE environmentId = :environmentId', {
          environmentId,
          log: logWith(row.log, line),
        });
      }),
  };
}

function begin(
  sql: Sql,
  change: Parameters<EnvironmentRepository['begin']>[0],
): Awaited<ReturnType<EnvironmentRepository['begin']>> {
  sql.run(
    `INSERT INTO Environment (environmentId, personId, backend, phase, fence, createdAt, updatedAt)
     VALUES (:environmentId, :personId, :backend, :phase, 1, :at, :at)
     ON CONFLICT (environmentId) DO UPDATE
       SET phase = :phase, personId = :personId, backend = :backend, fence = fence + 1, updatedAt = :at`,
    { ...change, at: now() },
  );
  const row = requireRow(sql, change.environmentId);
  return { fence: row.fence, row: rowFrom(row) };
}

function settle(sql: Sql, environmentId: string, fence: number, end: EnvironmentEnd): EnvironmentRow {
  const before = requireRow(sql, environmentId);
  if (before.fence !== fence) return rowFrom(before);
  const at = now();
  const isAwake = end.phase === 'awake';
  const isResting = end.phase === 'hibernated';
  const isOver = isAwake || end.phase === 'absent';
  // A sleep is counted once, when it is over; a second end of the same change finds it counted.
  const sleptMs = isOver && before.sleepingSince !== null ? Date.parse(at) - Date.parse(before.sleepingSince) : 0;
  sql.run(
    `UPDATE Environment SET phase = :phase, handle = :handle, generation = :generation, awakeSince = :awakeSince,
       sleepingSince = :sleepingSince, sleptMs = sleptMs + :sleptMs, lastWakeMs = :lastWakeMs,
       failureCode = :failureCode, failureMessage = :failureMessage, log = :log, updatedAt = :at
     WHERE environmentId = :environmentId`,
    {
      environmentId,
      phase: end.phase,
      handle: handleText(end.handle, before.handle),
      generation: before.generation + (isAwake && end.failure === undefined ? 1 : 0),
      awakeSince: isAwake ? (before.awakeSince ?? at) : null,
      sleepingSince: isResting ? (before.sleepingSince ?? at) : isOver ? null : before.sleepingSince,
      sleptMs: Math.max(0, sleptMs),
      lastWakeMs: end.tookMs === undefined ? before.lastWakeMs : Math.round(end.tookMs),
      failureCode: end.failure?.code ?? null,
      failureMessage: end.failure?.message ?? null,
      log: logWith(before.log, end.note, at),
      at,
    },
  );
  return rowFrom(requireRow(sql, environmentId));
}

function handleText(handle: EnvironmentEnd['handle'], before: string | null): string | null {
  if (handle === undefined) return before;
  return handle === null ? null : JSON.stringify(handle);
}

function find(sql: Sql, environmentId: string): EnvironmentRecordRow | undefined {
  return sql.get<EnvironmentRecordRow>('SELECT * FROM Environment WHERE environmentId = :environmentId', {
    environmentId,
  });
}

function requireRow(sql: Sql, environmentId: string): EnvironmentRecordRow {
  const row = find(sql, environmentId);
  if (row === undefined) {
    throw new PortError('Internal.Invariant', `Environment ${environmentId} is not in the store.`, {
      retryable: false,
    });
  }
  return row;
}

function overtaken(environmentId: string): PortError {
  return new PortError('Storage.Conflict', 'A later change of this environment has begun; this one is void.', {
    retryable: false,
    details: { environmentId },
  });
}

function logWith(log: string, line: string, at = now()): string {
  return JSON.stringify([`${at} ${line}`, ...(JSON.parse(log) as string[])].slice(0, logLines));
}

function rowFrom(row: EnvironmentRecordRow): EnvironmentRow {
  return {
    environmentId: row.environmentId,
    personId: row.personId,
    backend: row.backend,
    handle: row.handle === null ? null : (JSON.parse(row.handle) as EnvironmentHandleJson),
    phase: row.phase as EnvironmentPhase,
    generation: row.generation,
    awakeSince: row.awakeSince,
    sleepingSince: row.sleepingSince,
    sleptMs: row.sleptMs,
    lastWakeMs: row.lastWakeMs,
    failure: row.failureCode === null ? null : { code: row.failureCode, message: row.failureMessage ?? '' },
    log: JSON.parse(row.log) as string[],
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}
