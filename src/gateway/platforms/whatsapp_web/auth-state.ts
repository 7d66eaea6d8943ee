import { BufferJSON, initAuthCreds, proto, type AuthenticationCreds, type AuthenticationState } from 'baileys';
import type { PlatformInbox } from '../platform.ts';

type KeyStore = AuthenticationState['keys'];

/** Who the linked device is and its Signal keys, in the store of the account. */
export interface StoredAuth {
  readonly creds: AuthenticationCreds;
  readonly keys: KeyStore;
  /** The credentials have changed in memory; they are written with whatever is written next, and at once. */
  touch(): void;
  /** Resolves when everything changed so far is durable. Rejects when it is not; the next call tries again. */
  flush(): Promise<void>;
  /** A plaintext kept together with the step of the ratchet that gave it. Null where there is none. */
  arrived(name: string): Promise<Buffer | null>;
  /** It was acted on; the plaintext is not needed any more. */
  done(name: string): Promise<void>;
  /**
   * Called at once when the store fails, until it is set to another. Baileys takes such a failure for a message that cannot be
   * read and refuses it for good, so the connection must be gone before that.
   */
  onFailure(handler: () => void): void;
  /** Forgets the device, so that the next start pairs a new one. */
  forget(): Promise<void>;
}

/** A further kind of key beside Baileys' own, so that it is part of Baileys' transactions. */
const arrivedKind = 'arrived';
const prefix = 'auth/';
const credsName = `${prefix}creds`;
/** WhatsApp keeps what was not acknowledged for about this long. */
const arrivedMs = 30 * 24 * 3_600_000;

/**
 * Every change Baileys makes in one go is one transaction of the store, and credentials that changed before go with it: keys
 * are never uploaded or used before both are durable. Nothing is cached here.
 */
export async function loadAuth(inbox: PlatformInbox): Promise<StoredAuth> {
  let failed = (): void => undefined;
  const counted = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      failed();
      throw error;
    });
  const load = (name: string): Promise<string | null> => counted(inbox.load(name));
  const saved = await load(credsName);
  const creds = saved === null ? initAuthCreds() : (decode(saved) as AuthenticationCreds);
  let dirty = saved === null;
  let last: Promise<void> = Promise.resolve();

  const write = (values: Readonly<Record<string, string | null>>): Promise<void> => {
    const one = last
      .catch(() => undefined)
      .then(async () => {
        const withCreds = dirty;
        dirty = false;
        const all = withCreds ? { ...values, [credsName]: encode(creds) } : values;
        if (Object.keys(all).length === 0) return;
        try {
          await counted(inbox.save(all));
        } catch (error) {
          dirty ||= withCreds;
          throw error;
        }
      });
    last = one;
    // Who needs it waits for it; a failure shows in the next flush.
    one.catch(() => undefined);
    return one;
  };

  await write({});
  await forgetOld(inbox);
  return {
    creds,
    keys: keyStore(load, write),
    onFailure: (handler) => {
      failed = handler;
    },
    touch: () => {
      dirty = true;
      void write({});
    },
    flush: async () => {
      // Who wrote something else that failed knows it; credentials that are not saved are still to be written.
      await last.catch(() => undefined);
      if (dirty) await write({});
    },
    arrived: async (name) => {
      const value = await load(keyName(arrivedKind, name));
      return value === null ? null : Buffer.from(textOf(decode(value)).split(':')[1] ?? '', 'base64');
    },
    done: (name) => write({ [keyName(arrivedKind, name)]: null }),
    forget: async () => {
      await last.catch(() => undefined);
      const names = await inbox.names(prefix);
      await inbox.save(Object.fromEntries(names.map((name) => [name, null])));
    },
  };
}

/** What goes into a Baileys transaction so that the plaintext is kept with it. */
export function arrivedChange(name: string, plain: Uint8Array): Parameters<KeyStore['set']>[0] {
  const value = `${Date.now()}:${Buffer.from(plain).toString('base64')}`;
  return { [arrivedKind]: { [name]: value } } as Parameters<KeyStore['set']>[0];
}

function keyStore(
  load: PlatformInbox['load'],
  write: (values: Record<string, string | null>) => Promise<void>,
): KeyStore {
  return {
    get: async (type, ids) => {
      const found: Record<string, never> = {};
      for (const id of ids) {
        const value = await load(keyName(type, id));
        if (value === null) continue;
        const key = decode(value);
        found[id] = (
          type === 'app-state-sync-key'
            ? proto.Message.AppStateSyncKeyData.fromObject(key as Record<string, unknown>)
            : key
        ) as never;
      }
      return found;
    },
    set: (data) => {
      const values: Record<string, string | null> = {};
      for (const [type, keys] of Object.entries(data)) {
        for (const [id, key] of Object.entries(keys)) values[keyName(type, id)] = key === null ? null : encode(key);
      }
      return write(values);
    },
  };
}

async function forgetOld(inbox: PlatformInbox): Promise<void> {
  const old: Record<string, null> = {};
  for (const name of await inbox.names(keyName(arrivedKind, ''))) {
    const at = Number(textOf(decode((await inbox.load(name)) ?? '""')).split(':')[0]);
    if (!(Date.now() - at < arrivedMs)) old[name] = null;
  }
  if (Object.keys(old).length > 0) await inbox.save(old);
}

function keyName(type: string, id: string): string {
  return `${prefix}${type}/${id}`;
}

function encode(value: unknown): string {
  return JSON.stringify(value, BufferJSON.replacer);
}

function decode(text: string): unknown {
  return JSON.parse(text, BufferJSON.reviver) as unknown;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
