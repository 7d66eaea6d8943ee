import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { itIf } from './fact-if.ts';
import type { Subject } from './conformance.ts';

const main = { sessionKey: 'transfer' };
const megabyte = 1024 * 1024;
const largeBytes = 100 * megabyte;
/** A third of the file: what would hold it whole cannot stay below. */
const growthLimitBytes = 34 * megabyte;

export function transferFacts(subject: Subject): void {
  const { bench } = subject;
  const inScratch = (name: string) => `${bench().scratch}/${name}`;
  const listed = async (folder: string) => (await bench().run(`ls -A ${folder}`)).text;

  describe('long files', () => {
    it('100 MB go there and come back as a stream, in flat memory', async () => {
      const { session } = bench();
      const up = createHash('sha256');
      const upGrowth = await growth(() => session.upload(inScratch('big/up'), pieces(up), main));
      const sum = up.digest('hex');
      expect((await bench().run(`sha256sum <${inScratch('big/up')}`)).text.split(' ')[0]).toBe(sum);
      const down = createHash('sha256');
      const downGrowth = await growth(async () => {
        const { stream, sizeBytes } = await session.download(inScratch('big/up'), main);
        expect(sizeBytes).toBe(largeBytes);
        for await (const bytes of stream) down.update(bytes as Buffer);
      });
      expect(down.digest('hex')).toBe(sum);
      expect(await listed(inScratch('big'))).toBe('up\n');
      await bench().run(`rm -r ${inScratch('big')}`);
      const limit = subject.has('flat-memory') ? growthLimitBytes : Infinity;
      expect(upGrowth).toBeLessThan(limit);
      expect(downGrowth).toBeLessThan(limit);
    }, 180_000);

    it('an empty file, and one of awkward pieces, arrive whole', async () => {
      const { session } = bench();
      await session.upload(inScratch('empty'), (async function* () {})(), main);
      const empty = await session.download(inScratch('empty'), main);
      expect([empty.sizeBytes, await collected(empty.stream)]).toEqual([0, Buffer.alloc(0)]);
      const parts = [0, 1, 70_000, 0, 3].map((size, index) => Buffer.alloc(size, index));
      await session.upload(
        inScratch('parts'),
        (async function* () {
          for (const part of parts) yield await Promise.resolve(part);
        })(),
        main,
      );
      const read = await session.readFile(inScratch('parts'), main);
      expect(read.bytes.equals(Buffer.concat(parts))).toBe(true);
    });

    it('a source that fails, or is given up, leaves the old file and nothing else', async () => {
      const { session } = bench();
      const folder = inScratch('half');
      await session.writeFile(`${folder}/file`, Buffer.from('old'), main);
      const reason = new Error('the source broke');
      const broken = session.upload(
        `${folder}/file`,
        (async function* () {
          yield Buffer.alloc(200_000, 'n');
          await sleep(1);
          throw reason;
        })(),
        main,
      );
      await expect(broken).rejects.toBe(reason);
      const abort = new AbortController();
      const stopped = session.upload(
        `${folder}/file`,
        (async function* () {
          yield Buffer.alloc(200_000, 'n');
          await sleep(60_000, undefined, { ref: false });
        })(),
        { ...main, signal: abort.signal },
      );
      setTimeout(() => {
        abort.abort(reason);
      }, 200);
      await expect(stopped).rejects.toBe(reason);
      expect((await session.readFile(`${folder}/file`, main)).bytes.toString()).toBe('old');
      await expect.poll(() => listed(folder), { timeout: 10_000 }).toBe('file\n');
    });

    it('what is missing or no file is refused before a byte is moved', async () => {
      const { session } = bench();
      const download = (path: string) => session.download(path, main);
      await expect(download(inScratch('nowhere'))).rejects.toMatchObject({ code: 'Terminal.NotFound' });
      await expect(download(bench().scratch)).rejects.toMatchObject({ code: 'Terminal.Invalid' });
      const onFolder = session.upload(bench().scratch, (async function* () {})(), main);
      await expect(onFolder).rejects.toMatchObject({ code: 'Terminal.Invalid' });
    });
  });

  describe('a disk that is full', () => {
    it('a command hears of it as any program does, and its result is kept', async () => {
      const command = `(ulimit -f 64; trap '' XFSZ; head -c 1000000 /dev/zero >${inScratch('limited')}) || exit 9`;
      const { state } = await bench().run(command);
      expect(state).toMatchObject({ phase: 'exited', exitCode: 9 });
      expect((await bench().run(`wc -c <${inScratch('limited')}`)).text.trim()).not.toBe('1000000');
    });

    itIf(subject.smallFolder !== undefined)('writing and uploading say so and leave nothing behind', async () => {
      const { session } = bench();
      const folder = (await subject.smallFolder?.()) ?? '';
      await session.writeFile(`${folder}/old`, Buffer.from('old'), main);
      await bench().run(`head -c 1000000000 /dev/zero >${folder}/filling 2>/dev/null; sync`);
      const full = { code: 'Terminal.Full' };
      const large = Buffer.alloc(2_000_000, 'x');
      await expect(session.writeFile(`${folder}/old`, large, main)).rejects.toMatchObject(full);
      await expect(session.upload(`${folder}/new`, pieces(), main)).rejects.toMatchObject(full);
      expect((await session.readFile(`${folder}/old`, main)).bytes.toString()).toBe('old');
      expect(await listed(folder)).toBe('filling\nold\n');
      await bench().run(`rm ${folder}/filling ${folder}/old`);
    });
  });
}

/** 100 MB that compress badly, one megabyte at a time. */
async function* pieces(hash?: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  for (let at = 0; at < largeBytes; at += megabyte) {
    const piece = Buffer.alloc(megabyte);
    for (let word = 0; word < megabyte; word += 4) piece.writeUInt32LE(((at + word) * 2_654_435_761) >>> 0, word);
    hash?.update(piece);
    yield piece;
    // Lets what measures memory look.
    await sleep(0);
  }
}

async function collected(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** By how much the bytes held in buffers rise while `work` runs; garbage that could be freed at once does not count. */
async function growth(work: () => Promise<void>): Promise<number> {
  const held = () => process.memoryUsage().arrayBuffers;
  const collect = await collector();
  collect();
  const before = held();
  let peak = 0;
  const timer = setInterval(() => {
    if (held() - before > growthLimitBytes / 2) collect();
    peak = Math.max(peak, held() - before);
  }, 20);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return peak;
}

async function collector(): Promise<() => void> {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  // The memory of a buffer is freed by the collection after the one that finds it unused.
  return () => {
    gc();
    gc();
  };
}
