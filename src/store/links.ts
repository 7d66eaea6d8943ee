import type { Database, Sql } from './database.ts';
import type { LinkCode, LinkRepository, Redeemed } from './people-ports.ts';
import type { PlatformUser } from './platform-ports.ts';
import { putUser } from './platform-users.ts';

/** Codes of one account that can be used at the same time; more are the oldest's end. */
const liveCodes = 5;
/** How long an expired code is remembered, for repeats of the command that used it. */
const keptMs = 24 * 60 * 60 * 1000;

type Attempt = Parameters<LinkRepository['redeem']>[0];
type End = Parameters<LinkRepository['unlink']>[0];
type Who = Pick<PlatformUser, 'account' | 'userId'>;

interface CodeRecord extends LinkCode {
  readonly usedBy: string | null;
}
interface TryRecord {
  readonly wrong: number;
  readonly lastKey: string;
  readonly lockedUntil: string | null;
}
interface LinkRecord {
  readonly personId: string;
  readonly formerPersonId: string;
  readonly formerRole: PlatformUser['role'];
  readonly endedBy: string | null;
}

export function linkRepository(database: Database): LinkRepository {
  return {
    issue: (code) => database.write((sql) => issue(sql, code)),
    redeem: (attempt) => database.write((sql) => redeem(sql, attempt)),
    of: (account, userId) =>
      database.read((sql) => {
        const link = findLink(sql, { account, userId });
        if (link === undefined || link.endedBy !== null) return null;
        return { personId: link.personId, formerPersonId: link.formerPersonId };
      }),
    endedBy: (account, userId, key) => database.read((sql) => findLink(sql, { account, userId })?.endedBy === key),
    unlink: (end) => database.write((sql) => unlink(sql, end)),
  };
}

function issue(sql: Sql, code: LinkCode): void {
  sql.run('DELETE FROM LinkCode WHERE expiresAt < :before', { before: new Date(Date.now() - keptMs).toISOString() });
  sql.run(
    `INSERT INTO LinkCode (codeHash, account, userId, personId, role, expiresAt)
     VALUES (:codeHash, :account, :userId, :personId, :role, :expiresAt)`,
    { ...code },
  );
  sql.run(
    `DELETE FROM LinkCode WHERE usedBy IS NULL AND account = :account AND userId = :userId AND codeHash NOT IN (
       SELECT codeHash FROM LinkCode WHERE usedBy IS NULL AND account = :account AND userId = :userId
       ORDER BY expiresAt DESC, rowid DESC LIMIT :live)`,
    { account: code.account, userId: code.userId, live: liveCodes },
  );
}

function redeem(sql: Sql, attempt: Attempt): Redeemed {
  const { user, key, at } = attempt;
  const code = sql.get<CodeRecord>('SELECT * FROM LinkCode WHERE codeHash = :codeHash', { codeHash: attempt.codeHash });
  if (code?.usedBy === key) return linkedBefore(sql, user, code);
  const tried = findTries(sql, user);
  if (tried?.lockedUntil != null && tried.lockedUntil > at) return { state: 'locked', until: tried.lockedUntil };
  const isValid = code?.usedBy === null && code.expiresAt > at && isStillLetIn(sql, code);
  if (!isValid) return countWrong(sql, attempt, tried);
  const isSame = code.personId === user.personId;
  if (isSame && isLetInAs(sql, user)) return { state: 'same' };

  sql.run('UPDATE LinkCode SET usedBy = :key WHERE codeHash = :codeHash', { key, codeHash: code.codeHash });
  sql.run('DELETE FROM LinkTry WHERE account = :account AND userId = :userId', whoOf(user));
  // A second link in a row still leads back to what the account was at first.
  const held = findLink(sql, user);
  const former = isHolding(held, user) ? formerOf(held) : user;
  if (!isSame) putLink(sql, user, { personId: code.personId, former, at, endedBy: null });
  const role = user.role === 'admin' ? 'admin' : code.role;
  const joined: PlatformUser = { ...user, personId: code.personId, role };
  putUser(sql, joined);
  return { state: 'linked', user: joined, before: user.personId, from: codeFrom(code) };
}

/** Who was turned away meanwhile lets nobody in. */
function isStillLetIn(sql: Sql, code: LinkCode): boolean {
  const giver = sql.get<{ personId: string }>(
    'SELECT personId FROM PlatformUser WHERE account = :account AND userId = :userId',
    whoOf(code),
  );
  return giver?.personId === code.personId;
}

/** A stranger may have the code's person without being let in: it lives on with the accounts once joined to theirs. */
function isLetInAs(sql: Sql, user: PlatformUser): boolean {
  const row = sql.get<Pick<PlatformUser, 'personId' | 'via'>>(
    'SELECT personId, via FROM PlatformUser WHERE account = :account AND userId = :userId',
    whoOf(user),
  );
  return row?.personId === user.personId && row.via === (user.via ?? 'pairing');
}

function linkedBefore(sql: Sql, user: PlatformUser, code: CodeRecord): Redeemed {
  const before = findLink(sql, user)?.formerPersonId ?? user.personId;
  return { state: 'linked', user: { ...user, personId: code.personId }, before, from: codeFrom(code) };
}

function countWrong(sql: Sql, { user, key, at, tries, lockMs }: Attempt, tried: TryRecord | undefined): Redeemed {
  const before = tried?.wrong ?? 0;
  const wrong = tried?.lastKey === key ? before : before + 1;
  const until = wrong >= tries ? new Date(Date.parse(at) + lockMs).toISOString() : null;
  sql.run(
    `INSERT INTO LinkTry (account, userId, wrong, lastKey, lockedUntil)
     VALUES (:account, :userId, :wrong, :key, :until)
     ON CONFLICT (account, userId) DO UPDATE SET wrong = :wrong, lastKey = :key, lockedUntil = :until`,
    // After the lock the count begins anew.
    { ...whoOf(user), wrong: until === null ? wrong : 0, key, until },
  );
  return until === null ? { state: 'wrong', triesLeft: tries - wrong } : { state: 'locked', until };
}

function unlink(sql: Sql, { key, user, otherwise, at }: End): PlatformUser {
  const held = findLink(sql, user);
  // Repeated: it was done before.
  if (held?.endedBy === key) return { ...user, ...formerOf(held) };
  const former = isHolding(held, user) ? formerOf(held) : otherwise;
  const alone: PlatformUser = { ...user, personId: former.personId, role: former.role };
  putLink(sql, user, { personId: user.personId, former, at, endedBy: key });
  sql.run('DELETE FROM LinkCode WHERE usedBy IS NULL AND account = :account AND userId = :userId', whoOf(user));
  putUser(sql, alone);
  return alone;
}

function findLink(sql: Sql, who: Who): LinkRecord | undefined {
  return sql.get<LinkRecord>(
    `SELECT personId, formerPersonId, formerRole, endedBy FROM PersonLink
     WHERE account = :account AND userId = :userId`,
    whoOf(who),
  );
}

/** Who was turned away and let in anew is no longer what the link made of them. */
function isHolding(link: LinkRecord | undefined, user: PlatformUser): link is LinkRecord {
  return link?.endedBy === null && link.personId === user.personId;
}

function putLink(
  sql: Sql,
  who: Who,
  link: {
    personId: string;
    former: Pick<PlatformUser, 'personId' | 'role'>;
    at: string;
    endedBy: string | null;
  },
): void {
  sql.run(
    `INSERT INTO PersonLink (account, userId, personId, formerPersonId, formerRole, linkedAt, endedBy)
     VALUES (:account, :userId, :personId, :formerPersonId, :formerRole, :at, :endedBy)
     ON CONFLICT (account, userId) DO UPDATE SET personId = :personId, formerPersonId = :formerPersonId,
       formerRole = :formerRole, linkedAt = :at, endedBy = :endedBy`,
    {
      ...whoOf(who),
      personId: link.personId,
      formerPersonId: link.former.personId,
      formerRole: link.former.role,
      at: link.at,
      endedBy: link.endedBy,
    },
  );
}

function findTries(sql: Sql, who: Who): TryRecord | undefined {
  return sql.get<TryRecord>(
    'SELECT wrong, lastKey, lockedUntil FROM LinkTry WHERE account = :account AND userId = :userId',
    whoOf(who),
  );
}

function formerOf(link: LinkRecord): Pick<PlatformUser, 'personId' | 'role'> {
  return { personId: link.formerPersonId, role: link.formerRole };
}

function whoOf({ account, userId }: Who): { account: string; userId: string } {
  return { account, userId };
}

function codeFrom({ codeHash, account, userId, personId, role, expiresAt }: CodeRecord): LinkCode {
  return { codeHash, account, userId, personId, role, expiresAt };
}
