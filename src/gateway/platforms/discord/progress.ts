import type { SessionInfo } from '@discordjs/ws';
import type { PlatformInbox, PlatformLog } from '../platform.ts';
import { fields, name, parsed, whole, words } from '../json-fields.ts';

/** A chat in which the agent was spoken to, and up to where it was heard. */
export interface HeardChat {
  readonly channel: string;
  /** Its server; null for direct messages. */
  readonly guild: string | null;
  /** The newest message accepted. */
  readonly last: string;
}

const sessionName = 'session';
const chatPrefix = 'heard/';

/**
 * How far the account has heard: the gateway session with the sequence of the last event that was accepted, and a cursor
 * for each chat for when the session cannot be resumed. What is saved is never ahead of what was accepted; saves follow
 * by themselves and are joined.
 */
export class Progress {
  private readonly inbox: PlatformInbox;
  private readonly log: PlatformLog;
  private readonly chats = new Map<string, HeardChat>();
  private readonly unsaved = new Map<string, string | null>();
  private current: SessionInfo | null = null;
  /** A session that replaced a lost one is saved only when what the lost one missed was caught up. */
  private settled = true;
  private saving: Promise<void> | null = null;

  private constructor(inbox: PlatformInbox, log: PlatformLog) {
    this.inbox = inbox;
    this.log = log;
  }

  static async load(inbox: PlatformInbox, log: PlatformLog): Promise<Progress> {
    const progress = new Progress(inbox, log);
    progress.current = readSession(await inbox.load(sessionName));
    for (const key of await inbox.names(chatPrefix)) {
      const chat = readChat(key.slice(chatPrefix.length), await inbox.load(key));
      if (chat !== null) progress.chats.set(chat.channel, chat);
    }
    return progress;
  }

  /** The session to resume, at the last event that was accepted. */
  session(): SessionInfo | null {
    return this.current;
  }

  /** A new session began. It is not saved before `settle`. */
  begin(session: SessionInfo): void {
    this.current = session;
    this.settled = false;
  }

  /** The platform does not know the session any more. */
  lose(): void {
    this.current = null;
  }

  isSettled(): boolean {
    return this.settled;
  }

  settle(): void {
    this.settled = true;
    this.noteSession();
  }

  /** Everything up to this event of the session has been accepted, or is of no interest. */
  accepted(sessionId: string, sequence: number): void {
    if (this.current?.sessionId !== sessionId || sequence <= this.current.sequence) return;
    this.current = { ...this.current, sequence };
    this.noteSession();
  }

  /** A message of the chat was accepted. Chats are known from when the agent is first spoken to. */
  heard(chat: HeardChat, spokenTo: boolean): void {
    const known = this.chats.get(chat.channel);
    if (known === undefined && !spokenTo) return;
    if (known !== undefined && !isLater(chat.last, known.last)) return;
    this.chats.set(chat.channel, chat);
    this.note(`${chatPrefix}${chat.channel}`, JSON.stringify({ guild: chat.guild, last: chat.last }));
  }

  knows(channel: string): boolean {
    return this.chats.has(channel);
  }

  /** Direct chats first. */
  known(): readonly HeardChat[] {
    return [...this.chats.values()].sort((a, b) => Number(a.guild !== null) - Number(b.guild !== null));
  }

  forget(channel: string): void {
    if (this.chats.delete(channel)) this.note(`${chatPrefix}${channel}`, null);
  }

  /** Resolves when what is known now is saved, or could not be. */
  async flush(): Promise<void> {
    while (this.saving !== null) await this.saving;
    if (this.unsaved.size > 0) await this.save();
  }

  private noteSession(): void {
    if (this.settled && this.current !== null) this.note(sessionName, JSON.stringify(this.current));
  }

  private note(key: string, value: string | null): void {
    this.unsaved.set(key, value);
    this.saving ??= this.saveAll();
  }

  /** One save at a time; what comes meanwhile goes into the next. */
  private async saveAll(): Promise<void> {
    let well = true;
    while (well && this.unsaved.size > 0) well = await this.save();
    this.saving = null;
  }

  private async save(): Promise<boolean> {
    const values = new Map(this.unsaved);
    this.unsaved.clear();
    try {
      await this.inbox.save(Object.fromEntries(values));
      return true;
    } catch (error) {
      // Harmless: the platform only repeats more than it had to. It is saved with what comes next.
      for (const [key, value] of values) if (!this.unsaved.has(key)) this.unsaved.set(key, value);
      this.log.warn({ error: error instanceof Error ? error.message : 'unknown' }, 'progress was not saved');
      return false;
    }
  }
}

/** Ids grow with time; they are numbers too long for a double. */
export function isLater(id: string, than: string): boolean {
  return id.length === than.length ? id > than : id.length > than.length;
}

function readSession(saved: string | null): SessionInfo | null {
  const { sessionId, sequence, resumeURL, shardCount, shardId } = fields(saved === null ? null : parsed(saved));
  const id = words(sessionId);
  const at = whole(sequence);
  const url = words(resumeURL);
  if (id === null || at === null || url === null || shardId !== 0 || shardCount !== 1) return null;
  return { sessionId: id, sequence: at, resumeURL: url, shardCount, shardId };
}

function readChat(channel: string, saved: string | null): HeardChat | null {
  const { guild, last } = fields(saved === null ? null : parsed(saved));
  const at = name(last);
  return at === null ? null : { channel, guild: name(guild), last: at };
}
