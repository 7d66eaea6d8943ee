import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StartProblem } from '../../src/workers/problem.ts';
import { isServing } from '../../src/workers/temporal/grpc-health.ts';
import { prepareNamespace } from '../../src/workers/temporal/namespace.ts';
import { temporalPin } from '../../src/workers/temporal/pin.ts';
import { freePort } from '../../src/workers/temporal/ports.ts';
import { startTemporalServer, type RunningServer } from '../../src/workers/temporal/server.ts';
import {
  startTestTemporal,
  testRetentionDays,
  testTemporalBinary,
  watchProcess,
  type TestTemporal,
} from '../support/temporal-server.ts';

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('the embedded server of a test', () => {
  let temporal: TestTemporal;
  let connection: Connection;

  beforeAll(async () => {
    temporal = await startTestTemporal();
    connection = await Connection.connect({ address: temporal.address });
  });
  afterAll(async () => {
    await connection.close();
    await temporal.stop();
  });

  it('runs the pinned release', async () => {
    const info = await connection.workflowService.getSystemInfo({});
    expect(info.serverVersion).toBe(temporalPin.server);
  });

  it('has the search attributes of conversations', async () => {
    const attributes = await connection.operatorService.listSearchAttributes({ namespace: temporal.namespace });
    expect(Object.keys(attributes.customAttributes)).toEqual(
      expect.arrayContaining(['HermesPerson', 'HermesPlatform', 'HermesState', 'HermesTitle']),
    );
  });

  it('keeps closed workflows for months', async () => {
    const namespace = await connection.workflowService.describeNamespace({ namespace: temporal.namespace });
    expect(Number(namespace.config?.workflowExecutionRetentionTtl?.seconds)).toBe(testRetentionDays * 24 * 60 * 60);
  });

  it('keeps its database in WAL mode', () => {
    expect(existsSync(`${temporal.dbFile}-wal`)).toBe(true);
  });

  it('comes back on the same address with its data after a kill', async () => {
    const before = temporal.pid;
    await temporal.kill();
    expect(await isServing(temporal.address, 1_000)).toBe(false);
    await temporal.restart();
    expect(temporal.pid).not.toBe(before);
    const namespace = await connection.workflowService.describeNamespace({ namespace: temporal.namespace });
    expect(Number(namespace.config?.workflowExecutionRetentionTtl?.seconds)).toBe(testRetentionDays * 24 * 60 * 60);
  });
});

describe('startTemporalServer', () => {
  let folder: string;
  const running: RunningServer[] = [];
  const sockets: Server[] = [];

  const start = async (port?: number): Promise<RunningServer> => {
    const server = await startTemporalServer({
      binary: await testTemporalBinary(),
      dbFile: join(folder, 'temporal.db'),
      logFile: join(folder, 'temporal.log'),
      uiPort: false,
      ...(port === undefined ? {} : { port }),
    });
    running.push(server);
    return server;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hermes-server-'));
  });
  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
    for (const socket of sockets.splice(0)) socket.close();
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('takes the wanted port when it is free', async () => {
    const port = await freePort();
    expect((await start(port)).address).toBe(`127.0.0.1:${port}`);
  });

  it('takes another port when the wanted one is in use', async () => {
    const port = await freePort();
    const socket = createServer().listen(port, '127.0.0.1');
    sockets.push(socket);
    await new Promise((resolve) => socket.once('listening', resolve));
    const server = await start(port);
    expect(server.address).not.toBe(`127.0.0.1:${port}`);
    expect(await isServing(server.address, 1_000)).toBe(true);
  });

  it('adds search attributes and retention to a namespace that exists without them', async () => {
    const server = await start();
    const connection = await Connection.connect({ address: server.address });
    const namespace = 'made-elsewhere';
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    // A new namespace is known to the whole server only after its next refresh.
    await expect
      .poll(() => prepareNamespace(connection, namespace, 30).then(() => 'prepared', String), { timeout: 30_000 })
      .toBe('prepared');
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    expect(Object.keys(customAttributes)).toEqual(expect.arrayContaining(['HermesState', 'HermesTitle']));
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 60 * 60);
    await connection.close();
  });

  it('refuses a database of another server line and leaves it untouched', async () => {
    await (await start()).stop();
    const dbFile = join(folder, 'temporal.db');
    const before = readFileSync(dbFile);
    const stamp = readFileSync(`${dbFile}.version`, 'utf8');
    writeFileSync(`${dbFile}.version`, stamp.replace(temporalPin.server, '1.29.1'));
    const refused = await start().catch((error: unknown) => error);
    writeFileSync(`${dbFile}.version`, stamp);
    expect(refused).toBeInstanceOf(StartProblem);
    expect((refused as StartProblem).message).toContain('1.29.1');
    expect((refused as StartProblem).hint).toContain('hermes down');
    expect(readFileSync(dbFile).equals(before)).toBe(true);
  });

  it('says what the server said when it cannot start', async () => {
    const dbFile = join(folder, 'broken', 'temporal.db');
    const binary = await testTemporalBinary();
    const options = { binary, logFile: join(folder, 'broken', 'temporal.log'), uiPort: false } as const;
    const first = await startTemporalServer({ ...options, dbFile });
    await first.stop();
    await rm(`${dbFile}-wal`, { force: true });
    writeFileSync(dbFile, 'this is no database');
    const refused = await startTemporalServer({ ...options, dbFile }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(StartProblem);
    expect((refused as StartProblem).message).toMatch(/not a database/);
  });
});

describe('the watchdog of a test process', () => {
  it('leaves the process alone once it is released', async () => {
    const temporal = await startTestTemporal();
    watchProcess(temporal.pid).release();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(isAlive(temporal.pid)).toBe(true);
    await temporal.stop();
    expect(isAlive(temporal.pid)).toBe(false);
  });
});
