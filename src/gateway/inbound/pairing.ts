import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { PairingView } from '../../contracts/api-gateway.ts';
import type { PairingRow, PlatformUser } from '../../store/platform-ports.ts';
import type { Store } from '../../store/ports.ts';
import type { OutboxWriter } from '../accounts.ts';
import { Lanes } from '../lanes.ts';
import type { PlatformChat, PlatformSender } from '../platforms/platform.ts';
import { Refusal } from '../refusal.ts';
import { personIdOf } from './names.ts';
import { speakerName } from './turn-text.ts';

/** How strangers are let in: they get a code, and the owner gives it to the service. */
export interface Pairing {
  /**
   * The code for somebody unknown, to be sent to their direct chat. Null: none now, for they have one already or too many
   * wait. Idempotent by key: the same event gets the same code.
   */
  request(of: {
    readonly account: string;
    readonly key: string;
    readonly sender: PlatformSender;
    readonly chat: PlatformChat;
  }): Promise<string | null>;
  /**
   * Lets in whoever has the code; `me`: it is the owner's own account. Rejects with a Refusal for a wrong code and, after
   * some of those, for any code for an hour.
   */
  approve(code: string, as: { readonly me: boolean; readonly admin: boolean }): Promise<PairingView>;
  /** Those who wait and those who are in. */
  list(): Promise<readonly PairingView[]>;
  /** False when there was nothing to take back. Rejects with a Refusal where the configuration lets them in. */
  revoke(account: string, userId: string): Promise<boolean>;
}

export interface PairingDeps {
  readonly store: Store;
  readonly outbox: OutboxWriter;
  readonly ownerId: string;
  readonly now?: () => number;
}

const minuteMs = 60_000;
const validMs = 60 * minuteMs;
const gapMs = 10 * minuteMs;
const maxPending = 3;
const maxWrong = 5;
const lockMs = 60 * minuteMs;
const codeLength = 8;
/** 32 letters that nobody mistakes for each other. */
const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
/** Values of no account: what concerns all of them. */
const noAccount = '';

export function createPairing(deps: PairingDeps): Pairing {
  return new StoredPairing(deps);
}

class StoredPairing implements Pairing {
  private readonly deps: PairingDeps;
  /** One attempt after another, so that many at once are still counted. */
  private readonly attempts = new Lanes();
  private secret: Promise<string> | null = null;

  constructor(deps: PairingDeps) {
    this.deps = deps;
  }

  async request({ account, key, sender, chat }: Parameters<Pairing['request']>[0]): Promise<string | null> {
    const at = this.now();
    const code = await this.codeFor(account, sender.id, key);
    const made = await this.deps.store.pairings.request(
      {
        account,
        userId: sender.id,
        name: speakerName(sender.name, sender.id),
        chat: chat.id,
        codeHash: await this.hash(code),
        requestedAt: new Date(at).toISOString(),
        expiresAt: new Date(at + validMs).toISOString(),
      },
      { gapMs, maxPending },
    );
    return made === 'made' ? code : null;
  }

  approve(code: string, as: { me: boolean; admin: boolean }): Promise<PairingView> {
    return this.attempts.run('approve', async () => {
      await this.refuseWhenLocked();
      const row = await this.find(code);
      if (row === null) throw await this.wrong();
      const user = this.userFrom(row, as);
      if (!(await this.deps.store.pairings.approve(row.codeHash, user))) throw await this.wrong();
      await this.deps.store.platformValues.save(noAccount, { [lockName]: null });
      await this.deps.outbox.enqueue({
        key: `pairing/${row.account}/${row.codeHash.slice(0, 32)}`,
        to: { platform: row.account, chat: row.chat },
        text: 'You are let in. Write what you need; /help lists the commands.',
        conversationId: null,
      });
      return viewOf(user);
    });
  }

  async list(): Promise<readonly PairingView[]> {
    const [waiting, users] = await Promise.all([
      this.deps.store.pairings.pending(),
      this.deps.store.platformUsers.list(),
    ]);
    const pending = waiting.map(({ account, userId, name, requestedAt }): PairingView => ({
      account,
      userId,
      name,
      state: 'pending',
      personId: null,
      role: null,
      since: requestedAt,
    }));
    return [...pending, ...users.map(viewOf)];
  }

  async revoke(account: string, userId: string): Promise<boolean> {
    const user = await this.deps.store.platformUsers.get(account, userId);
    if (user !== null && user.via !== undefined && user.via !== 'pairing') {
      const [platform = account] = account.split('/');
      throw new Refusal('Api.Conflict', `The configuration lets ${userId} in.`, {
        hint: `Take the id out of "${user.via}" (or "admins") of gateway.${platform} instead.`,
      });
    }
    const wasWaiting = await this.deps.store.pairings.remove(account, userId);
    return (await this.deps.store.platformUsers.remove(account, userId)) || wasWaiting;
  }

  /** All that wait are looked at, each compared in constant time: how long it takes says nothing about a code. */
  private async find(code: string): Promise<PairingRow | null> {
    const wanted = Buffer.from(await this.hash(code.toUpperCase().replace(/[^A-Z0-9]/g, '')), 'hex');
    let found: PairingRow | null = null;
    for (const row of await this.deps.store.pairings.pending()) {
      const hash = Buffer.from(row.codeHash, 'hex');
      const expired = Date.parse(row.expiresAt) <= this.now();
      if (hash.length === wanted.length && timingSafeEqual(hash, wanted) && !expired) found = row;
    }
    return found;
  }

  private userFrom(row: PairingRow, as: { me: boolean; admin: boolean }): PlatformUser {
    const { account, userId, name, chat } = row;
    return {
      account,
      userId,
      personId: as.me ? this.deps.ownerId : personIdOf(account, userId),
      role: as.me || as.admin ? 'admin' : 'user',
      via: 'pairing',
      name,
      directChat: chat,
      since: new Date(this.now()).toISOString(),
    };
  }

  private async refuseWhenLocked(): Promise<void> {
    const { until } = await this.loadLock();
    if (until <= this.now()) return;
    const minutes = Math.ceil((until - this.now()) / minuteMs);
    throw new Refusal('Api.Conflict', `Too many wrong codes: none is taken for ${String(minutes)} more minutes.`);
  }

  private async wrong(): Promise<Refusal> {
    const wrong = (await this.loadLock()).wrong + 1;
    const lock = wrong >= maxWrong ? { wrong: 0, until: this.now() + lockMs } : { wrong, until: 0 };
    await this.deps.store.platformValues.save(noAccount, { [lockName]: JSON.stringify(lock) });
    return new Refusal('Api.NotFound', 'Nobody waits with this code.', {
      hint: 'A code is good for an hour and for one person; `hermes gateway pairing list` shows who waits.',
    });
  }

  private async loadLock(): Promise<{ wrong: number; until: number }> {
    const saved = await this.deps.store.platformValues.load(noAccount, lockName);
    return saved === null ? { wrong: 0, until: 0 } : (JSON.parse(saved) as { wrong: number; until: number });
  }

  private async codeFor(account: string, userId: string, key: string): Promise<string> {
    const bytes = await this.hmac(JSON.stringify(['code', account, userId, key]));
    return Array.from(bytes.subarray(0, codeLength), (byte) => alphabet[byte % alphabet.length]).join('');
  }

  private async hash(code: string): Promise<string> {
    return (await this.hmac(JSON.stringify(['hash', code]))).toString('hex');
  }

  private async hmac(text: string): Promise<Buffer> {
    this.secret ??= this.loadSecret().catch((error: unknown) => {
      this.secret = null;
      throw error;
    });
    return createHmac('sha256', await this.secret)
      .update(text)
      .digest();
  }

  private async loadSecret(): Promise<string> {
    const values = this.deps.store.platformValues;
    const saved = await values.load(noAccount, secretName);
    if (saved !== null) return saved;
    const made = randomBytes(32).toString('hex');
    await values.save(noAccount, { [secretName]: made });
    return made;
  }

  private now(): number {
    return (this.deps.now ?? Date.now)();
  }
}

const lockName = 'pairing.lock';
const secretName = 'pairing.secret';

function viewOf({ account, userId, name, personId, role, since }: PlatformUser): PairingView {
  return { account, userId, name, state: 'approved', personId, role, since };
}
