import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect } from 'vitest';
import type { PlatformFile } from '../../../src/gateway/platforms/platform.ts';
import type { TestFile } from '../../support/platforms/platform-server.ts';
import { itIf } from '../backends/fact-if.ts';
import { addressOf } from './bench.ts';
import type { Subject } from './conformance.ts';

/** Every byte value occurs, and no chunk boundary falls on a round number. */
const bytes = Buffer.from(Array.from({ length: 70_001 }, (_, index) => (index * 31 + (index >> 8)) & 0xff));

const files: readonly TestFile[] = [
  { kind: 'document', name: 'notes on it (1).txt', mediaType: 'text/plain', bytes },
  { kind: 'image', name: 'photo.jpg', mediaType: 'image/jpeg', bytes },
  { kind: 'audio', name: 'song.mp3', mediaType: 'audio/mpeg', bytes },
  { kind: 'video', name: 'clip.mp4', mediaType: 'video/mp4', bytes },
  { kind: 'voice', name: 'voice.ogg', mediaType: 'audio/ogg', bytes },
];

export function fileFacts(subject: Subject): void {
  const { cast, bench, descriptor } = subject;
  const to = addressOf(cast.direct);
  const comesIn = ({ kind }: TestFile) =>
    subject.has(`file-${kind}-in`) && (kind !== 'voice' || descriptor.capabilities.voiceNotes);
  const goesOut = ({ kind }: TestFile) =>
    subject.has(`file-${kind}-out`) && (kind !== 'voice' || descriptor.capabilities.voiceNotes);
  const readFile = async (file: PlatformFile | undefined) => {
    const { stream } = await bench()
      .connection()
      .fetchFile(file?.reference ?? null, AbortSignal.timeout(20_000));
    return buffer(stream);
  };

  describe('files', () => {
    for (const file of files) {
      const { kind } = file;
      const what = kind === 'voice' ? 'a voice note' : `a file of kind ${kind}`;

      itIf(comesIn(file))(`${what} comes in whole, and can be read after a restart`, async () => {
        const text = kind === 'voice' ? '' : 'see here';
        await bench().server.says({ chat: cast.direct, from: cast.anna, text, files: [file] });
        const event = await bench().inbox.event((one) => one.kind === 'message' && one.files.length > 0);
        if (event.kind !== 'message') throw new Error('not a message');
        const [came] = event.files;
        expect(event).toMatchObject({ text, addressed: true });
        expect(came).toMatchObject({ kind });
        expect(came?.mediaType.split(';')[0]).toBe(file.mediaType);
        if (kind === 'document') expect(came?.name).toBe(file.name);
        expect([bytes.length, null]).toContain(came?.sizeBytes);
        expect((await readFile(came)).equals(bytes)).toBe(true);
        for (const secret of bench().server.secrets()) expect(JSON.stringify(event)).not.toContain(secret);
        await bench().disconnect();
        await bench().connect();
        expect((await readFile(came)).equals(bytes)).toBe(true);
      });

      itIf(goesOut(file))(`${what} goes out whole`, async () => {
        await bench().server.says({ chat: cast.direct, from: cast.anna, text: 'send it' });
        await bench().message('send it');
        const { outbound } = bench().connection();
        const caption = kind === 'voice' ? {} : { caption: 'as you asked' };
        const sent = await outbound.sendFile(
          to,
          { ...file, ...caption, sizeBytes: bytes.length, open: () => Promise.resolve(Readable.from([bytes])) },
          { key: bench().key(), signal: AbortSignal.timeout(20_000) },
        );
        const seen = bench()
          .server.messages(cast.direct)
          .find((message) => message.files.length > 0);
        expect(seen?.id).toBe(sent.messageId);
        expect(seen?.files).toHaveLength(1);
        expect(seen?.files[0]?.bytes.equals(bytes)).toBe(true);
        if (kind === 'document') expect(seen?.files[0]?.name).toBe(file.name);
        const shown = bench()
          .server.messages(cast.direct)
          .map((message) => message.text);
        if (kind !== 'voice') expect(shown).toContain('as you asked');
      });
    }

    itIf(subject.has('file-document-in'))('what the platform does not have (any more) is said', async () => {
      const { connection } = bench();
      for (const reference of [null, {}, 'nonsense', { fileId: 'gone', id: 'gone', url: 'gone' }]) {
        const error = await bench().refusal(connection().fetchFile(reference, AbortSignal.timeout(20_000)));
        expect(error.code).toMatch(/^Platform\./);
      }
    });

    itIf(subject.has('file-document-out'))('a file that breaks off while it is read is not sent', async () => {
      await bench().server.says({ chat: cast.direct, from: cast.anna, text: 'send it' });
      await bench().message('send it');
      const broken = new Readable({ read: () => undefined });
      const document = { kind: 'document' as const, name: 'half.txt', mediaType: 'text/plain', sizeBytes: 1_000 };
      const open = () => {
        broken.push(Buffer.alloc(100));
        setImmediate(() => broken.destroy(new Error('the disk is gone')));
        return Promise.resolve(broken);
      };
      const options = { key: bench().key(), signal: AbortSignal.timeout(20_000) };
      const error = await bench().refusal(
        bench()
          .connection()
          .outbound.sendFile(to, { ...document, open }, options),
      );
      expect(error.code).toMatch(/^(Platform|Storage)\./);
      expect(bench().server.messages(cast.direct)).toEqual([]);
    });
  });
}
