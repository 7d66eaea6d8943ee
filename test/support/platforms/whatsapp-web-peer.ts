import {
  addTransactionCapability,
  DEFAULT_CONNECTION_CONFIG,
  encodeBigEndian,
  encodeWAMessage,
  getBinaryNodeChild,
  getBinaryNodeChildren,
  initAuthCreds,
  proto,
  unpadRandomMax16,
  xmppSignedPreKey,
  type BinaryNode,
  type SignalKeyStore,
} from 'baileys';

type Repository = ReturnType<typeof DEFAULT_CONNECTION_CONFIG.makeSignalRepository>;

/** Keys of a device with which others may begin to talk to it. */
export interface Bundle {
  readonly registrationId: number;
  readonly identityKey: Uint8Array;
  readonly signedPreKey: { readonly keyId: number; readonly publicKey: Uint8Array; readonly signature: Uint8Array };
  readonly preKey?: { readonly keyId: number; readonly publicKey: Uint8Array };
}

/** A person's phone: its own Signal keys and sessions, kept in memory. */
export class Peer {
  readonly number: string;
  readonly lid: string;
  private readonly creds = initAuthCreds();
  private readonly repository: Repository;
  private readonly known = new Set<string>();

  constructor(number: string) {
    this.number = number;
    this.lid = `77${number}`;
    const silent = { ...DEFAULT_CONNECTION_CONFIG.logger, level: 'silent' };
    const nothing = (): void => undefined;
    const logger = {
      ...silent,
      child: () => logger,
      trace: nothing,
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: nothing,
    };
    const keys = addTransactionCapability(memoryKeys(), logger, { maxCommitRetries: 1, delayBetweenTriesMs: 1 });
    this.repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository({ creds: this.creds, keys }, logger);
  }

  get jid(): string {
    return `${this.number}@s.whatsapp.net`;
  }

  get lidJid(): string {
    return `${this.lid}@lid`;
  }

  /** What the server gives those who want to write to this person. */
  bundle(jid: string): BinaryNode {
    const { registrationId, signedIdentityKey, signedPreKey } = this.creds;
    return {
      tag: 'user',
      attrs: { jid },
      content: [
        { tag: 'registration', attrs: {}, content: encodeBigEndian(registrationId) },
        { tag: 'type', attrs: {}, content: Buffer.from([5]) },
        { tag: 'identity', attrs: {}, content: signedIdentityKey.public },
        xmppSignedPreKey(signedPreKey),
      ],
    };
  }

  /** Encrypted for the device; the first time with keys from its bundle. */
  async seal(device: string, bundle: () => Bundle, plain: Uint8Array): Promise<BinaryNode> {
    if (!this.known.has(device)) {
      this.known.add(device);
      await this.repository.injectE2ESession({ jid: device, session: bundle() });
    }
    const { type, ciphertext } = await this.repository.encryptMessage({ jid: device, data: plain });
    return { tag: 'enc', attrs: { v: '2', type }, content: ciphertext };
  }

  /** For a group: its sender key for the device, and the message under that key. */
  async sealForGroup(group: string, device: string, bundle: () => Bundle, plain: Uint8Array): Promise<BinaryNode[]> {
    const { ciphertext, senderKeyDistributionMessage } = await this.repository.encryptGroupMessage({
      group,
      meId: this.lidJid,
      data: plain,
    });
    const key = encodeWAMessage({
      senderKeyDistributionMessage: {
        groupId: group,
        axolotlSenderKeyDistributionMessage: senderKeyDistributionMessage,
      },
    });
    return [
      await this.seal(device, bundle, key),
      { tag: 'enc', attrs: { v: '2', type: 'skmsg' }, content: ciphertext },
    ];
  }

  /** What a stanza of the device says to this person; null when nothing in it is for them. */
  async open(stanza: BinaryNode, device: string): Promise<proto.Message | null> {
    const all = getBinaryNodeChildren(getBinaryNodeChild(stanza, 'participants'), 'to');
    const mine = all.find(({ attrs }) => [this.jid, this.lidJid].includes((attrs['jid'] ?? '').replace(/:\d+@/, '@')));
    const own = getBinaryNodeChild(mine ?? stanza, 'enc');
    let message: proto.Message | null = null;
    if (own !== undefined && own.attrs['type'] !== 'skmsg') {
      const type = own.attrs['type'] === 'pkmsg' ? 'pkmsg' : 'msg';
      const ciphertext = own.content as Uint8Array;
      message = decode(await this.repository.decryptMessage({ jid: device, type, ciphertext }));
      if (message.senderKeyDistributionMessage) {
        await this.repository.processSenderKeyDistributionMessage({
          authorJid: device,
          item: message.senderKeyDistributionMessage,
        });
      }
    }
    const group = getBinaryNodeChildren(stanza, 'enc').find(({ attrs }) => attrs['type'] === 'skmsg');
    if (group === undefined) return message;
    return decode(
      await this.repository.decryptGroupMessage({
        group: stanza.attrs['to'] ?? '',
        authorJid: device,
        msg: group.content as Uint8Array,
      }),
    );
  }
}

function decode(plain: Uint8Array): proto.Message {
  return proto.Message.decode(unpadRandomMax16(plain));
}

function memoryKeys(): SignalKeyStore {
  const all = new Map<string, unknown>();
  return {
    get: (type, ids) => {
      const found = ids.map((id) => [id, all.get(`${type}/${id}`)] as const).filter(([, value]) => value !== undefined);
      return Object.fromEntries(found) as never;
    },
    set: (data) => {
      for (const [type, keys] of Object.entries(data)) {
        for (const [id, value] of Object.entries(keys)) {
          if (value === null) all.delete(`${type}/${id}`);
          else all.set(`${type}/${id}`, value);
        }
      }
    },
  };
}
