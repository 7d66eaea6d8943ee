import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { promisify } from 'node:util';
import { Client } from 'ssh2';
import type { Backend, EnvironmentHandle } from '../../src/backends/backend.ts';
import { baseEnvironment } from '../../src/backends/base-environment.ts';
import { createDaytonaClient } from '../../src/backends/daytona/client.ts';
import { createDaytonaBackend } from '../../src/backends/daytona/daytona.ts';
import { daytonaSettings } from '../../src/backends/daytona/options.ts';
import { createDockerBackend } from '../../src/backends/docker/docker.ts';
import { createLocalBackend } from '../../src/backends/local.ts';
import { openModal } from '../../src/backends/modal/client.ts';
import { createModalBackend } from '../../src/backends/modal/modal.ts';
import { modalSettings } from '../../src/backends/modal/options.ts';
import { createSingularityBackend } from '../../src/backends/singularity/singularity.ts';
import { createSshBackend } from '../../src/backends/ssh/ssh.ts';
import { startApptainer } from '../../test/support/apptainer/engine.ts';
import { startDaytonaServer } from '../../test/support/daytona/server.ts';
import { dockerEngine } from '../../test/support/docker/engine.ts';
import { loadDebian } from '../../test/support/docker/images.ts';
import { startModalServer } from '../../test/support/modal/server.ts';
import { startSshd } from '../../test/support/ssh/sshd.ts';

/** Where one backend is measured, and the same done with its bare client. */
export interface Place {
  readonly name: string;
  readonly backend: Backend;
  /** Runs `true` there without us. */
  bare(handle: EnvironmentHandle): Promise<unknown>;
  /** Connections and processes that are held for a sleeping environment. */
  readonly held: () => number;
  close(): Promise<void>;
}

const run = promisify(execFile);
const installationId = 'be9c4be9c4be';

export const places: Readonly<Record<string, () => Promise<Place>>> = {
  local,
  docker,
  ssh,
  singularity,
  modal,
  daytona,
};

function local(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'hermes-bench-'));
  const options = { runsDir: join(folder, 'runs'), cwd: folder, baseEnv: baseEnvironment(process.env) };
  return Promise.resolve({
    name: 'local',
    backend: createLocalBackend(options),
    bare: () => run('bash', ['-c', 'true']),
    held: () => 0,
    close: () => {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  });
}

async function docker(): Promise<Place> {
  const engine = dockerEngine();
  await engine.start();
  const image = await loadDebian(engine.docker);
  const backend = createDockerBackend({ installationId, host: engine.socketPath, image });
  return {
    name: 'docker',
    backend,
    bare: async ({ state }) => {
      const container = engine.docker.getContainer(state['container'] ?? '');
      const exec = await container.exec({ Cmd: ['true'], AttachStdout: true });
      const stream = await exec.start({});
      const nothing = new PassThrough().resume();
      stream.pipe(nothing);
      await finished(nothing);
      await exec.inspect();
    },
    held: () => socketsTo(engine.socketPath),
    close: () => engine.stop(),
  };
}

async function ssh(): Promise<Place> {
  const server = await startSshd();
  const { host, port, keyFile, knownHostsFile } = server;
  const user = userInfo().username;
  const backend = createSshBackend({ host, port, keyFile, knownHostsFile, user, installationId });
  const client = new Client();
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).once('error', reject);
    client.connect({ host, port, username: user, privateKey: readFileSync(keyFile) });
  });
  const own = connectionsTo(port);
  return {
    name: 'ssh',
    backend,
    bare: () =>
      new Promise<void>((resolve, reject) => {
        client.exec('true', (error, channel) => {
          if (error) reject(error);
          else channel.once('close', () => resolve()).resume();
        });
      }),
    held: () => connectionsTo(port) - own,
    close: async () => {
      client.end();
      await server.close();
    },
  };
}

async function singularity(): Promise<Place> {
  const engine = await startApptainer();
  const backend = createSingularityBackend({
    installationId,
    bin: engine.bin,
    image: engine.image,
    overlayDir: join(engine.folder, 'overlays'),
    cacheDir: join(engine.folder, 'images'),
    baseEnv: baseEnvironment(process.env),
  });
  const instances = (): { instance: string }[] => {
    const listed = execFileSync(engine.bin, ['instance', 'list', '--json'], { encoding: 'utf8' });
    return (JSON.parse(listed) as { instances: { instance: string }[] }).instances;
  };
  let name = '';
  return {
    name: 'singularity',
    backend,
    bare: () => {
      // Asked once: the question is no part of the bare command.
      name ||= instances()[0]?.instance ?? '';
      return run(engine.bin, ['exec', '--no-privs', '--pwd', '/', `instance://${name}`, 'true']);
    },
    held: () => instances().length,
    close: () => engine.close(),
  };
}

async function modal(): Promise<Place> {
  const server = await startModalServer();
  const options = {
    installationId,
    serverUrl: server.url,
    tokenId: server.tokenId,
    tokenSecret: server.tokenSecret,
    idleConnectionSeconds: 2,
  };
  const { sdk } = openModal(modalSettings(options));
  return {
    name: 'modal',
    backend: createModalBackend(options),
    bare: async ({ state }) => {
      const sandbox = await sdk.sandboxes.fromId(state['sandbox'] ?? '');
      const process = await sandbox.exec(['true']);
      await process.wait();
    },
    held: () => server.running().length,
    close: () => server.close(),
  };
}

async function daytona(): Promise<Place> {
  const server = await startDaytonaServer();
  const options = { installationId, apiKey: 'test-key', apiUrl: server.apiUrl };
  const client = createDaytonaClient(daytonaSettings(options));
  return {
    name: 'daytona',
    backend: createDaytonaBackend(options),
    bare: async () => {
      const [sandbox] = await client.list();
      await sandbox?.process.executeCommand('true');
    },
    held: () => server.connections(),
    close: () => server.close(),
  };
}

function connectionsTo(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  return rows.filter((row) => new RegExp(`^ *\\d+: \\S+ [0-9A-F]{8}:${hex} 01 `).test(row)).length;
}

/** Connections that the daemon has open; it names its own end of each by its path. */
function socketsTo(path: string): number {
  const rows = readFileSync('/proc/net/unix', 'utf8').split('\n');
  return rows.filter((row) => row.endsWith(` ${path}`) && row.trim().split(/\s+/)[5] === '03').length;
}
