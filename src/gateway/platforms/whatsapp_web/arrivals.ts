import { createHash } from 'node:crypto';
import {
  decodeMessageNode,
  DEFAULT_CONNECTION_CONFIG,
  proto,
  unpadRandomMax16,
  type BinaryNode,
  type SignalKeyStoreWithTransaction,
  type SocketConfig,
} from 'baileys';
import { arrivedChange, type StoredAuth } from './auth-state.ts';

type MakeRepository = SocketConfig['makeSignalRepository'];
type Repository = ReturnType<MakeRepository>;

/** A decrypted message with its envelope, as `readEvent` takes it. */
export type Arrived = ReturnType<typeof decodeMessageNode>['fullMessage'] & { message?: proto.IMessage };

interface Sealed {
  readonly cipher: Uint8Array;
  /** Whose ratchet it is; one step at a time. */
  readonly scope: string;
}
type Decrypt = () => Promise<Uint8Array>;

interface ArrivalsDeps {
  readonly auth: StoredAuth;
  /** Keeps the message. As long as it has not resolved the server is told nothing; it never rejects. */
  keep(message: Arrived): Promise<void>;
  /** What cannot be read as a message although it was decrypted; it counts as received. */
  unreadable(reason: string): void;
}

/**
 * Takes messages where they are decrypted, as Baileys acknowledges them right after that and only then tells of them. The
 * plaintext is kept in the same transaction as the step of the Signal ratchet, so a message that is delivered again after a
 * crash can still be read, though its key is used up.
 */
export class Arrivals {
  private readonly deps: ArrivalsDeps;
  /** Envelopes that are on their way through Baileys, by what is encrypted in them. */
  private readonly envelopes = new Map<string, BinaryNode>();
  private repository: Repository | null = null;

  constructor(deps: ArrivalsDeps) {
    this.deps = deps;
  }

  /** Sees a stanza before Baileys does. */
  readonly announce = (node: BinaryNode): void => {
    // What was missed would be taken one by one, and what is new would overtake it.
    delete node.attrs['offline'];
    for (const cipher of ciphertexts(node)) this.envelopes.set(nameOf(cipher), node);
  };

  readonly makeRepository: MakeRepository = (auth, logger, pnToLid) => {
    const inner = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, logger, pnToLid);
    const keys = auth.keys as SignalKeyStoreWithTransaction;
    this.repository = {
      ...inner,
      decryptMessage: (options) =>
        this.take(keys, { cipher: options.ciphertext, scope: options.jid }, () => inner.decryptMessage(options)),
      decryptGroupMessage: (options) =>
        this.take(keys, { cipher: options.msg, scope: options.group }, () => inner.decryptGroupMessage(options)),
    };
    return this.repository;
  };

  private async take(keys: SignalKeyStoreWithTransaction, one: Sealed, decrypt: Decrypt): Promise<Uint8Array> {
    const { auth } = this.deps;
    const name = nameOf(one.cipher);
    const envelope = this.envelopes.get(name);
    this.envelopes.delete(name);
    const plain = (await auth.arrived(name)) ?? (await this.decrypted(keys, { ...one, name }, decrypt));
    if (envelope !== undefined) {
      for (const message of await this.read(envelope, plain)) await this.deps.keep(message);
    }
    await auth.done(name);
    return plain;
  }

  private decrypted(
    keys: SignalKeyStoreWithTransaction,
    { name, scope }: Sealed & { readonly name: string },
    decrypt: Decrypt,
  ): Promise<Uint8Array> {
    return keys.transaction(async () => {
      const plain = await decrypt();
      await keys.set(arrivedChange(name, plain));
      return plain;
    }, scope);
  }

  private async read(envelope: BinaryNode, plain: Uint8Array): Promise<readonly Arrived[]> {
    const me = this.deps.auth.creds.me;
    if (me === undefined) return [];
    try {
      const outer = proto.Message.decode(unpadRandomMax16(plain));
      const message = outer.deviceSentMessage?.message ?? outer;
      const { fullMessage } = decodeMessageNode(envelope, me.id, me.lid ?? '');
      const all: Arrived[] = [{ ...fullMessage, message }, ...resent(message)];
      return await Promise.all(all.map((one) => this.withNumber(one)));
    } catch (error) {
      this.deps.unreadable(error instanceof Error ? error.name : 'unknown');
      return [];
    }
  }

  /** Adds the phone number of a person who is addressed by LID, where it is known from before. */
  private async withNumber(one: Arrived): Promise<Arrived> {
    const { key } = one;
    const lid = key.participant ?? key.remoteJid ?? '';
    const known = key.participant ? key.participantAlt : key.remoteJidAlt;
    if (known || !lid.endsWith('@lid')) return one;
    const number = (await this.repository?.lidMapping.getPNForLID(lid)) ?? undefined;
    if (number === undefined) return one;
    return { ...one, key: { ...key, ...(key.participant ? { participantAlt: number } : { remoteJidAlt: number }) } };
  }
}

/** Messages the phone sends once more because this device could not decrypt them. */
function resent(message: proto.IMessage): readonly Arrived[] {
  const results = message.protocolMessage?.peerDataOperationRequestResponseMessage?.peerDataOperationResult ?? [];
  return results.flatMap((result) => {
    const bytes = result.placeholderMessageResendResponse?.webMessageInfoBytes;
    return bytes ? [proto.WebMessageInfo.decode(bytes) as Arrived] : [];
  });
}

function ciphertexts(node: BinaryNode): readonly Uint8Array[] {
  const children = Array.isArray(node.content) ? node.content : [];
  return children.flatMap(({ tag, attrs, content }) =>
    tag === 'enc' && ['pkmsg', 'msg', 'skmsg'].includes(attrs['type'] ?? '') && content instanceof Uint8Array
      ? [content]
      : [],
  );
}

function nameOf(cipher: Uint8Array): string {
  return createHash('sha256').update(cipher).digest('hex').slice(0, 40);
}
