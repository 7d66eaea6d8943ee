import {
  aesDecryptGCM,
  aesEncryptGCM,
  Curve,
  decodeBinaryNode,
  encodeBinaryNode,
  hkdf,
  NOISE_MODE,
  NOISE_WA_HEADER,
  proto,
  sha256,
  WA_CERT_DETAILS,
  type BinaryNode,
  type KeyPair,
} from 'baileys';
import type { WebSocket } from 'ws';

/** The root of trust of all these servers: what the client has for WhatsApp's own is replaced in tests. */
const root = Curve.generateKeyPair();
const intermediate = Curve.generateKeyPair();
Object.assign(WA_CERT_DETAILS, { PUBLIC_KEY: root.public });

interface NoiseEvents {
  /** The handshake is done; who the client says it is, and the key it has proven to hold. */
  login(payload: proto.ClientPayload, noiseKey: Uint8Array): void;
  node(node: BinaryNode): void;
  closed(): void;
}

/** The server's side of one connection: Noise XX over a web socket, then encrypted nodes. */
export class NoiseConnection {
  private readonly socket: WebSocket;
  private readonly events: NoiseEvents;
  private readonly ephemeral: KeyPair = Curve.generateKeyPair();
  private readonly fixed: KeyPair = Curve.generateKeyPair();
  private hash: Uint8Array = Buffer.from(NOISE_MODE);
  private salt: Uint8Array = this.hash;
  private key: Uint8Array = this.hash;
  private counter = 0;
  private transport: { readonly write: Uint8Array; readonly read: Uint8Array; sent: number; received: number } | null =
    null;
  private bytes = Buffer.alloc(0);
  private sawHeader = false;
  private sawHello = false;
  private working: Promise<void> = Promise.resolve();
  private isWedged = false;
  private readonly unsent: BinaryNode[] = [];

  constructor(socket: WebSocket, events: NoiseEvents) {
    this.socket = socket;
    this.events = events;
    this.mixHash(NOISE_WA_HEADER);
    socket.on('message', (data) => {
      const chunk = data as Buffer;
      this.working = this.working.then(() => this.receive(chunk)).catch(() => socket.terminate());
    });
    socket.on('error', () => undefined);
    socket.on('close', () => events.closed());
  }

  send(node: BinaryNode): void {
    if (this.isWedged) this.unsent.push(node);
    else if (this.transport !== null) this.frame(this.seal(encodeBinaryNode(node)));
  }

  wedge(on: boolean): void {
    this.isWedged = on;
    if (on) this.socket.pause();
    else {
      this.socket.resume();
      for (const node of this.unsent.splice(0)) this.send(node);
    }
  }

  cut(): void {
    this.socket.terminate();
  }

  close(): void {
    this.socket.close();
  }

  private async receive(chunk: Buffer): Promise<void> {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    if (!this.sawHeader) {
      this.bytes = this.bytes.subarray(NOISE_WA_HEADER.length);
      this.sawHeader = true;
    }
    while (this.bytes.length >= 3) {
      const length = this.bytes.readUIntBE(0, 3);
      if (this.bytes.length < length + 3) return;
      const frame = this.bytes.subarray(3, length + 3);
      this.bytes = this.bytes.subarray(length + 3);
      if (this.transport !== null) this.events.node(await decodeBinaryNode(this.unseal(frame)));
      else if (this.sawHello) this.finish(proto.HandshakeMessage.decode(frame));
      else this.hello(proto.HandshakeMessage.decode(frame));
    }
  }

  private hello({ clientHello }: proto.HandshakeMessage): void {
    const client = clientHello?.ephemeral ?? new Uint8Array();
    this.sawHello = true;
    this.clientEphemeral = client;
    this.mixHash(client);
    this.mixHash(this.ephemeral.public);
    this.mixKey(Curve.sharedKey(this.ephemeral.private, client));
    const fixed = this.encrypt(this.fixed.public);
    this.mixKey(Curve.sharedKey(this.fixed.private, client));
    const payload = this.encrypt(certificates(this.fixed.public));
    this.frame(
      proto.HandshakeMessage.encode({
        serverHello: { ephemeral: this.ephemeral.public, static: fixed, payload },
      }).finish(),
    );
  }

  private finish({ clientFinish }: proto.HandshakeMessage): void {
    const noiseKey = this.decrypt(clientFinish?.static ?? new Uint8Array());
    this.mixKey(Curve.sharedKey(this.ephemeral.private, noiseKey));
    const payload = this.decrypt(clientFinish?.payload ?? new Uint8Array());
    const [read, write] = this.derive(new Uint8Array());
    this.transport = { write, read, sent: 0, received: 0 };
    this.events.login(proto.ClientPayload.decode(payload), noiseKey);
  }

  private clientEphemeral: Uint8Array = new Uint8Array();

  private frame(data: Uint8Array): void {
    const head = Buffer.alloc(3);
    head.writeUIntBE(data.length, 0, 3);
    this.socket.send(Buffer.concat([head, data]));
  }

  private seal(data: Uint8Array): Uint8Array {
    const { transport } = this;
    if (transport === null) throw new Error('the handshake is not done');
    return aesEncryptGCM(data, transport.write, nonce(transport.sent++), new Uint8Array());
  }

  private unseal(data: Uint8Array): Buffer {
    const { transport } = this;
    if (transport === null) throw new Error('the handshake is not done');
    return aesDecryptGCM(data, transport.read, nonce(transport.received++), new Uint8Array());
  }

  private encrypt(data: Uint8Array): Uint8Array {
    const sealed = aesEncryptGCM(data, this.key, nonce(this.counter++), this.hash);
    this.mixHash(sealed);
    return sealed;
  }

  private decrypt(data: Uint8Array): Buffer {
    const plain = aesDecryptGCM(data, this.key, nonce(this.counter++), this.hash);
    this.mixHash(data);
    return plain;
  }

  private mixHash(data: Uint8Array): void {
    this.hash = sha256(Buffer.concat([this.hash, data]));
  }

  private mixKey(data: Uint8Array): void {
    [this.salt, this.key] = this.derive(data);
    this.counter = 0;
  }

  private derive(data: Uint8Array): [Uint8Array, Uint8Array] {
    const both = hkdf(data, 64, { salt: Buffer.from(this.salt), info: '' });
    return [both.subarray(0, 32), both.subarray(32)];
  }
}

function nonce(counter: number): Uint8Array {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
}

function certificates(key: Uint8Array): Uint8Array {
  const { Details } = proto.CertChain.NoiseCertificate;
  const middle = Details.encode({ serial: 1, issuerSerial: WA_CERT_DETAILS.SERIAL, key: intermediate.public }).finish();
  const leaf = Details.encode({ serial: 2, issuerSerial: 1, key }).finish();
  return proto.CertChain.encode({
    intermediate: { details: middle, signature: Curve.sign(root.private, middle) },
    leaf: { details: leaf, signature: Curve.sign(intermediate.private, leaf) },
  }).finish();
}
