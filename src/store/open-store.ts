import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PortError } from '../lib/port-error.ts';
import { approvalRepository } from './approvals.ts';
import { blobStore } from './blobs.ts';
import { conversationRepository } from './conversations.ts';
import { connect, Database } from './database.ts';
import { environmentRepository } from './environments.ts';
import { toPortError } from './errors.ts';
import { handoffRepository, spokenConversationRepository } from './handoffs.ts';
import { idempotencyRepository } from './idempotency.ts';
import { inboxRepository } from './inbox.ts';
import { checkHeader, quickCheck } from './integrity.ts';
import { linkRepository } from './links.ts';
import { memoryStore } from './memories.ts';
import { migrate, ownMigrationsDir, pendingMigrations, readMigrations } from './migrate.ts';
import { backupBefore } from './online-backup.ts';
import { outboxRepository } from './outbox.ts';
import { chatConversationRepository } from './platform-chats.ts';
import { platformEventRepository } from './platform-events.ts';
import { pairingRepository } from './platform-pairings.ts';
import { platformUserRepository } from './platform-users.ts';
import { platformValueRepository } from './platform-values.ts';
import type { Store } from './ports.ts';
import { stagedName } from './restore-backup.ts';
import { allowRuleRepository } from './rules.ts';
import { conversationSearch } from './search.ts';
import { stepRepository } from './steps.ts';
import { terminalUseRepository } from './terminal-uses.ts';
import { todoStore } from './todos.ts';
import { toolCallRepository } from './tool-calls.ts';
import { transcriptRepository } from './transcript.ts';
import { turnRepository } from './turns.ts';
import { usageRepository } from './usage.ts';

export interface StoreOptions {
  /** The database file; made when missing, with its folder. */
  readonly file: string;
  /** Where a copy goes before an existing database is migrated. */
  readonly backupDir: string;
  /** How many such copies stay. */
  readonly keepBackups?: number;
  /** Where the migrations are; the program's own by default. */
  readonly migrationsDir?: string;
  /** Files up to this size are looked through at every start, larger ones only before a migration. */
  readonly checkUpToBytes?: number;
}

/**
 * Opens the store: checks the file, brings its schema up to date and returns the repositories. Several processes may
 * open the same file. The file is not changed when this rejects.
 *
 * @throws PortError `Storage.Damaged`, `Storage.TooNew`, `Storage.Full`, `Storage.Unavailable`
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  try {
    mkdirSync(dirname(options.file), { recursive: true, mode: 0o700 });
    await prepareFile(options);
  } catch (error) {
    throw toPortError(error);
  }
  const database = await Database.open(options.file);
  return {
    conversations: conversationRepository(database),
    inbox: inboxRepository(database),
    transcript: transcriptRepository(database),
    turns: turnRepository(database),
    steps: stepRepository(database),
    toolCalls: toolCallRepository(database),
    approvals: approvalRepository(database),
    rules: allowRuleRepository(database),
    usage: usageRepository(database),
    outbox: outboxRepository(database),
    idempotency: idempotencyRepository(database),
    blobs: blobStore(database),
    search: conversationSearch(database),
    todos: todoStore(database),
    memories: memoryStore(database),
    environments: environmentRepository(database),
    terminalUses: terminalUseRepository(database),
    platformEvents: platformEventRepository(database),
    platformUsers: platformUserRepository(database),
    platformValues: platformValueRepository(database),
    pairings: pairingRepository(database),
    chatConversations: chatConversationRepository(database),
    links: linkRepository(database),
    handoffs: handoffRepository(database),
    spokenConversations: spokenConversationRepository(database),
    close: () => database.close(),
  };
}

async function prepareFile(options: StoreOptions): Promise<void> {
  const { file, backupDir, keepBackups = 5, checkUpToBytes = 64 * 1024 * 1024 } = options;
  refuseHalfRestored(file);
  checkHeader(file);
  const isNew = !existsSync(file) || statSync(file).size === 0;
  const known = readMigrations(options.migrationsDir ?? ownMigrationsDir);
  // What SQLite makes by itself is readable to everybody; its log and index take over the mode of the file.
  if (isNew) closeSync(openSync(file, 'a', 0o600));
  const connection = connect(file);
  try {
    const checked = !isNew && statSync(file).size <= checkUpToBytes;
    if (checked) quickCheck(connection);
    const [first] = pendingMigrations(connection, known);
    if (first === undefined) return;
    if (!isNew) {
      if (!checked) quickCheck(connection);
      await backupBefore(`before-${first.name}`, file, backupDir, keepBackups);
    }
    migrate(connection, known);
  } finally {
    connection.close();
  }
}

/** A restore that was cut short may have moved the database away already: an empty new one would look like a loss. */
function refuseHalfRestored(file: string): void {
  if (!existsSync(stagedName(file))) return;
  throw new PortError(
    'Storage.Damaged',
    `A restore of ${file} was cut short. Run \`hermes restore\` again, or remove ${stagedName(file)} if ${file} is the ` +
      'database you want.',
    { details: { file } },
  );
}
