import { createHmac } from 'node:crypto';
import { Curve, proto, type BinaryNode, type KeyPair } from 'baileys';
import jsQR from 'jsqr';
import type { PlatformDescriptor } from '../../../src/gateway/platforms/platform.ts';

/** What a QR code of WhatsApp Web says. */
interface PairingCode {
  readonly ref: string;
  readonly noiseKey: Buffer;
  readonly identityKey: Buffer;
  readonly secret: Buffer;
}

/** The phone whose number it is: it scans what the gateway shows and signs the new device's identity. */
export class Phone {
  readonly number: string;
  readonly lid: string;
  private readonly account: KeyPair = Curve.generateKeyPair();

  constructor(number: string, lid: string) {
    this.number = number;
    this.lid = lid;
  }

  get deviceJid(): string {
    return `${this.number}:1@s.whatsapp.net`;
  }

  get deviceLid(): string {
    return `${this.lid}:1@lid`;
  }

  /** The `pair-success` for the device that has shown the code. */
  pair({ identityKey, secret }: PairingCode): BinaryNode {
    const details = proto.ADVDeviceIdentity.encode({
      rawId: 1,
      timestamp: Math.floor(Date.now() / 1000),
      keyIndex: 1,
    }).finish();
    const signed = Buffer.concat([Buffer.from([6, 0]), details, identityKey]);
    const identity = proto.ADVSignedDeviceIdentity.encode({
      details,
      accountSignatureKey: this.account.public,
      accountSignature: Curve.sign(this.account.private, signed),
    }).finish();
    const hmac = createHmac('sha256', secret).update(identity).digest();
    return {
      tag: 'pair-success',
      attrs: {},
      content: [
        {
          tag: 'device-identity',
          attrs: {},
          content: proto.ADVSignedDeviceIdentityHMAC.encode({ details: identity, hmac }).finish(),
        },
        { tag: 'device', attrs: { jid: this.deviceJid, lid: this.deviceLid } },
        { tag: 'platform', attrs: { name: 'android' } },
      ],
    };
  }
}

/** Reads the code as a camera would: from what the terminal shows. Null where it shows none. */
export function scan(shown: string): PairingCode | null {
  const lines = shown.split('\n').filter((line) => line !== '');
  const columns = Math.max(...lines.map((line) => line.length));
  const scale = 4;
  const width = columns * scale;
  const height = lines.length * 2 * scale;
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const row = Math.floor(y / scale);
      const symbol = lines[row >> 1]?.[Math.floor(x / scale)] ?? ' ';
      const isLit = symbol === '█' || symbol === (row % 2 === 0 ? '▀' : '▄');
      pixels.fill(isLit ? 255 : 0, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  const read = (jsQR as unknown as typeof jsQR.default)(pixels, width, height);
  const [ref, noiseKey, identityKey, secret] = read?.data.split('#')[1]?.split(',') ?? [];
  if (ref === undefined || noiseKey === undefined || identityKey === undefined || secret === undefined) return null;
  return {
    ref,
    noiseKey: Buffer.from(noiseKey, 'base64'),
    identityKey: Buffer.from(identityKey, 'base64'),
    secret: Buffer.from(secret, 'base64'),
  };
}

/** The platform with a phone that looks at whatever its accounts show. */
export function paired(inner: PlatformDescriptor, sees: (shown: string) => void): PlatformDescriptor {
  return {
    ...inner,
    open: async (account) => {
      const connection = await inner.open(account);
      const run = connection.run.bind(connection);
      connection.run = (inbox, signal) => {
        const show = (text: string): void => {
          inbox.show(text);
          sees(text);
        };
        return run({ ...inbox, show }, signal);
      };
      return connection;
    },
  };
}
