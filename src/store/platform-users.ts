import type { Database, Sql } from './database.ts';
import type { PlatformUser, PlatformUserRepository } from './platform-ports.ts';

export function platformUserRepository(database: Database): PlatformUserRepository {
  return {
    get: (account, userId) => database.read((sql) => findUser(sql, { account, userId }) ?? null),
    list: () =>
      database.read((sql) => sql.all<PlatformUser>('SELECT * FROM PlatformUser ORDER BY since DESC, rowid DESC')),
    ofPerson: (personId) =>
      database.read((sql) =>
        sql.all<PlatformUser>('SELECT * FROM PlatformUser WHERE personId = :personId ORDER BY since DESC, rowid DESC', {
          personId,
        }),
      ),
    put: (user) => database.write((sql) => putUser(sql, user)),
    update: (known, user) =>
      database.write((sql) => {
        const isAsKnown = standing(findUser(sql, user)) === standing(known);
        if (isAsKnown) putUser(sql, user);
        return isAsKnown;
      }),
    remove: (account, userId) =>
      database.write(
        (sql) =>
          sql.run('DELETE FROM PlatformUser WHERE account = :account AND userId = :userId', { account, userId }) > 0,
      ),
  };
}

function findUser(sql: Sql, { account, userId }: Pick<PlatformUser, 'account' | 'userId'>): PlatformUser | undefined {
  return sql.get<PlatformUser>('SELECT * FROM PlatformUser WHERE account = :account AND userId = :userId', {
    account,
    userId,
  });
}

function standing(user: PlatformUser | null | undefined): string {
  return user == null ? '' : JSON.stringify([user.personId, user.role, user.via ?? 'pairing']);
}

/** Inside a transaction: adds or replaces. */
export function putUser(sql: Sql, user: PlatformUser): void {
  sql.run(
    `INSERT INTO PlatformUser (account, userId, personId, role, via, name, directChat, since)
     VALUES (:account, :userId, :personId, :role, :via, :name, :directChat, :since)
     ON CONFLICT (account, userId) DO UPDATE SET personId = excluded.personId, role = excluded.role, via = excluded.via,
       name = excluded.name, directChat = excluded.directChat, since = excluded.since`,
    {
      account: user.account,
      userId: user.userId,
      personId: user.personId,
      role: user.role,
      via: user.via ?? 'pairing',
      name: user.name,
      directChat: user.directChat,
      since: user.since,
    },
  );
}
