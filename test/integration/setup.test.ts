import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const library = (name: string): string => pathToFileURL(join(root, 'bin', 'lib', name)).href;
const run = promisify(execFile);

interface State {
  fingerprints(root: string): Record<'packages' | 'client' | 'program' | 'bundle', string>;
  stepsDone(root: string): Record<'packages' | 'client' | 'program' | 'bundle', boolean>;
  writeStamp(root: string, step: string, value: string): void;
  isUpToDate(root: string): boolean;
}
const state = (await import(library('state.mjs'))) as State;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hermes-setup-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('what set-up remembers', () => {
  const write = (path: string, text = path): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  /** A folder as set-up leaves it. */
  const finished = (): void => {
    for (const path of ['package-lock.json', 'prisma/schema.prisma', 'prisma.config.ts', 'tsconfig.json']) write(path);
    for (const path of ['src/cli/main.ts', 'src/workflows/index.ts', 'src/domain/ids.ts', 'src/store/generated/x.ts']) {
      write(path);
    }
    for (const path of ['node_modules/.package-lock.json', 'dist/cli/main.js', 'dist/workflow-bundle.js']) write(path);
    const { packages, client, program, bundle } = state.fingerprints(folder);
    state.writeStamp(folder, 'packages', packages);
    state.writeStamp(folder, 'client', `${client} ${packages}`);
    state.writeStamp(folder, 'program', program);
    state.writeStamp(folder, 'bundle', `${bundle} ${packages}`);
  };

  it('is up to date when nothing changed', () => {
    finished();
    expect(state.stepsDone(folder)).toEqual({ packages: true, client: true, program: true, bundle: true });
    expect(state.isUpToDate(folder)).toBe(true);
  });

  it('compiles again after a change of the sources, and bundles only after one of the workflows', () => {
    finished();
    write('src/cli/main.ts', 'changed');
    expect(state.fingerprints(folder).bundle).toBe(
      (JSON.parse(readFileSync(join(folder, '.cache', 'set-up.json'), 'utf8')) as { bundle: string }).bundle.split(
        ' ',
      )[0],
    );
    expect(state.stepsDone(folder)).toMatchObject({ packages: true, client: true, program: false });
    finished();
    const before = state.fingerprints(folder).bundle;
    write('src/workflows/index.ts', 'changed');
    expect(state.fingerprints(folder).bundle).not.toBe(before);
  });

  it('sees a new file, a removed file and a touched one', () => {
    finished();
    write('src/cli/new.ts');
    expect(state.isUpToDate(folder)).toBe(false);
    rmSync(join(folder, 'src/cli/new.ts'));
    expect(state.isUpToDate(folder)).toBe(true);
    utimesSync(join(folder, 'src/cli/main.ts'), new Date(), new Date(Date.now() + 5_000));
    expect(state.isUpToDate(folder)).toBe(false);
  });

  it('does not trust stamps whose results are gone', () => {
    for (const gone of ['node_modules', 'dist', 'src/store/generated', 'dist/workflow-bundle.js', '.cache']) {
      finished();
      rmSync(join(folder, gone), { recursive: true });
      expect(state.isUpToDate(folder)).toBe(false);
    }
  });

  it('begins with nothing after a stamp file that was cut off', () => {
    finished();
    writeFileSync(join(folder, '.cache', 'set-up.json'), '{"packages":');
    expect(Object.values(state.stepsDone(folder))).toEqual([false, false, false, false]);
  });
});

describe('the lock of set-up', () => {
  /** Holds the lock for a moment and notes when. */
  const holder = (milliseconds: number): string => `
    import { appendFileSync } from 'node:fs';
    const { withLock } = await import(${JSON.stringify(library('lock.mjs'))});
    await withLock(process.argv[1], () => undefined, async () => {
      appendFileSync(process.argv[1] + '.notes', 'in ');
      await new Promise((resolve) => setTimeout(resolve, ${milliseconds}));
      appendFileSync(process.argv[1] + '.notes', 'out ');
    });`;
  const hold = (milliseconds: number) =>
    run(process.execPath, ['--input-type=module', '-e', holder(milliseconds), join(folder, 'lock')]);
  const notes = (): string => readFileSync(join(folder, 'lock.notes'), 'utf8');

  it('lets one in at a time', async () => {
    await Promise.all(Array.from({ length: 5 }, () => hold(60)));
    expect(notes()).toBe('in out '.repeat(5));
  });

  it('is taken over from a process that was killed, by one of several', async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', holder(60_000), join(folder, 'lock')]);
    await expect
      .poll(
        () =>
          run('cat', [join(folder, 'lock.notes')]).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    await Promise.all(Array.from({ length: 4 }, () => hold(60)));
    expect(notes()).toBe(`in ${'in out '.repeat(4)}`);
  });
});

describe('bin/hermes', () => {
  it('runs through a link from any folder', async () => {
    symlinkSync(join(root, 'bin', 'hermes'), join(folder, 'hermes'));
    const env = { ...process.env, HERMES_HOME: join(folder, 'home') };
    const { stdout } = await run(join(folder, 'hermes'), ['--version'], { cwd: folder, env });
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(stdout).toBe(`${version}\n`);
  });

  it('hands on the exit code', async () => {
    const env = { ...process.env, HERMES_HOME: join(folder, 'home') };
    const failure = await run(join(root, 'bin', 'hermes'), ['no-such-command'], { env }).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 2 });
  });
});

describe('bin/setup.mjs', () => {
  it('names its tasks when it is asked for another', async () => {
    const failure = await run(process.execPath, [join(root, 'bin', 'setup.mjs'), 'fly']).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 2 });
    expect((failure as { stderr: string }).stderr).toContain('start, test, build, bench');
  });
});
