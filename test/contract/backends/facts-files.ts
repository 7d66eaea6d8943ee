import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { itIf } from './fact-if.ts';
import type { Subject } from './conformance.ts';

const main = { sessionKey: 'files' };

export function filesFacts(subject: Subject): void {
  const { bench } = subject;
  const inScratch = (name: string) => `${bench().scratch}/${name}`;

  describe('files', () => {
    it('a file comes back byte for byte, 5 MB of random bytes too', async () => {
      const { session } = bench();
      for (const bytes of [Buffer.alloc(0), Buffer.from('grüße\0\xff\r\n', 'latin1'), randomBytes(5_000_000)]) {
        await session.writeFile(inScratch('new/folder/some file'), bytes, main);
        const read = await session.readFile(inScratch('new/folder/some file'), main);
        expect(read.sizeBytes).toBe(bytes.length);
        expect(read.bytes.equals(bytes)).toBe(true);
        const sum = await bench().run(`sha256sum <'${inScratch('new/folder/some file')}'`);
        expect(sum.text.split(' ')[0]).toBe(createHash('sha256').update(bytes).digest('hex'));
      }
    });

    it('a range of a file is read, with its whole size', async () => {
      const { session } = bench();
      await session.writeFile(inScratch('range'), Buffer.from('0123456789'), main);
      const read = await session.readFile(inScratch('range'), { ...main, offset: 3, maxBytes: 4 });
      expect([read.bytes.toString(), read.sizeBytes]).toEqual(['3456', 10]);
      expect(Date.now() - Date.parse(read.modifiedAt)).toBeLessThan(60_000);
      const past = await session.readFile(inScratch('range'), { ...main, offset: 50 });
      expect([past.bytes.length, past.sizeBytes]).toEqual([0, 10]);
    });

    it('writing keeps the mode, writes through a link and leaves nothing else behind', async () => {
      const { session } = bench();
      const folder = inScratch('modes');
      await bench().run(`mkdir ${folder}; cd ${folder}; echo old >script; chmod 750 script; ln -s script link`);
      await session.writeFile(`${folder}/link`, Buffer.from('new'), main);
      const { text } = await bench().run(`cd ${folder}; cat script; ls -A; ls -l script | cut -c1-10; readlink link`);
      expect(text).toBe('newlink\nscript\n-rwxr-x---\nscript\n');
    });

    it('paths are relative to the directory of the session, and ~ is its home', async () => {
      const { session } = bench();
      await bench().run(`mkdir -p ${inScratch('here')}; cd ${inScratch('here')}`, main);
      await session.writeFile('./sub/../note', Buffer.from('relative'), main);
      expect((await session.readFile(inScratch('here/note'), main)).bytes.toString()).toBe('relative');
      expect(await session.resolve('sub/../x', main)).toBe(inScratch('here/x'));
      expect(await session.resolve('.', main)).toBe(inScratch('here'));
      const home = (await bench().run('cd; pwd', main)).text.trim();
      expect(await session.resolve('~/a/b', main)).toBe(`${home}/a/b`.replace('//', '/'));
      expect(await session.resolve('~', main)).toBe(home);
      expect(await session.resolve('/x/./y', main)).toBe('/x/y');
    });

    it('the real path of a file is where its links lead, also where its end is missing', async () => {
      const { session } = bench();
      const folder = inScratch('real');
      await bench().run(
        `mkdir -p ${folder}/to; cd ${folder}; ln -s to way; ln -s to/new nowhere; ln -s round round; echo x >to/file`,
      );
      const real = async (path: string) => session.realPath(path, main);
      const base = (await bench().run(`cd ${folder}; pwd -P`)).text.trim();
      expect(await real(`${folder}/way/file`)).toBe(`${base}/to/file`);
      expect(await real(`${folder}/way/missing/deep`)).toBe(`${base}/to/missing/deep`);
      expect(await real(`${folder}/nowhere`)).toBe(`${base}/to/new`);
      expect(await real('/')).toBe('/');
      await expect(real(`${folder}/round`)).rejects.toMatchObject({ code: 'Terminal.Invalid' });
    });

    it('a folder is listed by name, with kinds, sizes and times', async () => {
      const { session } = bench();
      const folder = inScratch('listed');
      await bench().run(`mkdir -p ${folder}/dir; cd ${folder}; printf 12345 >'b ü'; ln -s nowhere a; mkfifo pipe`);
      const entries = await session.listFiles(folder, main);
      expect(entries.map(({ name, kind }) => [name, kind])).toEqual([
        ['a', 'link'],
        ['b ü', 'file'],
        ['dir', 'directory'],
        ['pipe', 'other'],
      ]);
      expect(entries[1]?.sizeBytes).toBe(5);
      expect(Number.isNaN(Date.parse(entries[1]?.modifiedAt ?? ''))).toBe(false);
      expect(await session.listFiles(`${folder}/dir`, main)).toEqual([]);
    });

    it('what is missing is said to be missing', async () => {
      const { session } = bench();
      const missing = { code: 'Terminal.NotFound', retryable: false };
      await bench().run(`echo x >${inScratch('plain')}`);
      await expect(session.readFile(inScratch('missing'), main)).rejects.toMatchObject(missing);
      await expect(session.listFiles(inScratch('missing'), main)).rejects.toMatchObject(missing);
      await expect(session.readFile(inScratch('plain/below'), main)).rejects.toMatchObject(missing);
      await expect(session.listFiles(inScratch('plain'), main)).rejects.toMatchObject(missing);
    });

    it('what is no file is refused', async () => {
      const { session } = bench();
      await bench().run(`mkdir ${inScratch('folder')}; mkfifo ${inScratch('pipe')}`);
      const invalid = { code: 'Terminal.Invalid' };
      await expect(session.readFile(inScratch('folder'), main)).rejects.toMatchObject(invalid);
      await expect(session.readFile(inScratch('pipe'), main)).rejects.toMatchObject(invalid);
      await expect(session.writeFile(inScratch('folder'), Buffer.from('x'), main)).rejects.toMatchObject(invalid);
      await expect(session.readFile('a\0b', main)).rejects.toMatchObject(invalid);
      await expect(session.resolve('a\0b', main)).rejects.toMatchObject(invalid);
    });

    it('a file too large to be read whole is refused, and its ranges are read', async () => {
      const { session } = bench();
      await bench().run(
        `truncate -s 200M ${inScratch('large')} || dd if=/dev/null of=${inScratch('large')} bs=1 seek=200M`,
      );
      const whole = session.readFile(inScratch('large'), main);
      await expect(whole).rejects.toMatchObject({ code: 'Terminal.TooLarge' });
      const end = await session.readFile(inScratch('large'), { ...main, offset: 200 * 1024 * 1024 - 3, maxBytes: 10 });
      expect([end.bytes.length, end.sizeBytes]).toEqual([3, 200 * 1024 * 1024]);
    });

    itIf(subject.has('denied-paths'))('what is refused is said to be refused', async () => {
      // Root may read and write any ordinary file; the kernel's own files refuse it too.
      const setUp = `mkdir ${inScratch('shut')}; chmod 0 ${inScratch('shut')}
if [ "$(id -u)" = 0 ]; then echo "/sys/x $(find /sys/bus -name drivers_probe | head -n 1)"
else echo "${inScratch('shut/x')} ${inScratch('shut/x')}"; fi`;
      const [write = '', read = ''] = (await bench().run(setUp)).text.trim().split(' ');
      const { session } = bench();
      const denied = { code: 'Terminal.Denied', retryable: false };
      await expect(session.readFile(read, main)).rejects.toMatchObject(denied);
      await expect(session.writeFile(write, Buffer.from('x'), main)).rejects.toMatchObject(denied);
    });
  });
}
