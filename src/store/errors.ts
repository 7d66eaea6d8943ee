import { PortError } from '../lib/port-error.ts';

/**
 * Turns what SQLite, its driver or Prisma throw into a {@link PortError}; a PortError passes unchanged.
 * Statements and values stay out of the message: they hold what people wrote.
 */
export function toPortError(error: unknown): PortError {
  if (PortError.is(error)) return error;
  const code = sqliteCode(error);
  const options = { details: { sqliteCode: code ?? 'none' }, cause: error };
  if (code === undefined) {
    return new PortError(
      'Internal.Invariant',
      `The store failed in a way it does not know: ${nameOf(error)}.`,
      options,
    );
  }
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') {
    return new PortError('Storage.Full', 'The disk is full: free some space; nothing was lost.', options);
  }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return new PortError(
      'Storage.Damaged',
      'The database is damaged: stop the service and use `hermes restore` with a backup.',
      options,
    );
  }
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new PortError('Storage.Unavailable', 'Another process holds the database.', options);
  }
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    return new PortError('Storage.Conflict', 'This exists already.', { ...options, retryable: false });
  }
  if (code === 'SQLITE_CONSTRAINT_FOREIGNKEY') {
    return new PortError('Storage.Conflict', 'It belongs to a conversation that does not exist (any more).', {
      ...options,
      retryable: false,
    });
  }
  if (/^SQLITE_(IOERR|CANTOPEN|READONLY|PERM|AUTH|NOLFS|PROTOCOL|NOMEM)/.test(code) || /^E[A-Z]+$/.test(code)) {
    return new PortError('Storage.Unavailable', `The database file cannot be used now (${code}).`, options);
  }
  return new PortError('Internal.Invariant', `The store made a statement SQLite refuses (${code}).`, options);
}

/** The driver's own code (`SQLITE_BUSY`, `ENOSPC`), wherever Prisma has put it. */
function sqliteCode(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; isObject(at) && depth < 6; depth++) {
    for (const code of [at['originalCode'], at['code']]) {
      if (typeof code === 'string' && /^(SQLITE_|E[A-Z]+$)/.test(code)) return code;
    }
    const meta: unknown = at['meta'];
    at = isObject(meta) && meta['driverAdapterError'] !== undefined ? meta['driverAdapterError'] : at['cause'];
  }
  return undefined;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
