import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ToolContext, ToolResult } from '../../../src/tools/define-tool.ts';
import { createToolRegistry } from '../../../src/tools/registry.ts';
import { sendFile } from '../../../src/tools/send-file.ts';
import type { FileOutbound, ToolDeps } from '../../../src/tools/tool-deps.ts';
import { conversationId, openToolBench, personId, type ToolBench } from './support/tool-bench.ts';

type Sent = Parameters<FileOutbound['sendFile']>[0];

let bench: ToolBench;
let sent: Map<string, Sent>;
let limit: number | null;
let calls = 0;
const registry = createToolRegistry([sendFile]);

beforeAll(async () => {
  bench = await openToolBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  sent = new Map();
  limit = 1000;
});

const outbound: FileOutbound = {
  fileLimit: () => Promise.resolve(limit),
  sendFile: (file) => Promise.resolve(void sent.set(file.key, file)),
};

function deps(port: FileOutbound | undefined): ToolDeps {
  return {
    settings: {
      backend: 'local',
      commandTimeoutMs: 20_000,
      maxCommandTimeoutMs: 60_000,
      approvals: 'ask',
      web: { allowPrivateAddresses: true, maxBytes: 1_000_000, maxRedirects: 3, timeoutMs: 5_000 },
      envPassthrough: [],
      homeFolder: bench.home,
    },
    search: bench.store.search,
    todos: bench.store.todos,
    memories: bench.store.memories,
    blobs: bench.store.blobs,
    rules: bench.store.rules,
    redact: (text) => text.replaceAll('hunter2', '[secret]'),
    ...(port === undefined ? {} : { outbound: port }),
  };
}

interface Options {
  readonly callKey?: string;
  readonly attempt?: number;
  readonly port?: FileOutbound | undefined;
}

function send(args: { path: string; caption?: string }, options: Options = {}): Promise<ToolResult> {
  calls += 1;
  const context: ToolContext = {
    conversationId,
    personId,
    turn: 3,
    step: 1,
    callKey: options.callKey ?? `${conversationId}/3/${String(calls)}`,
    attempt: options.attempt ?? 1,
    signal: new AbortController().signal,
    draining: new AbortController().signal,
    answer: undefined,
    terminal: () => Promise.resolve(bench.session),
    deps: deps('port' in options ? options.port : outbound),
  };
  return registry.run('send_file', args, context);
}

it('keeps the file as a blob and queues it under the key of the call', async () => {
  await writeFile(join(bench.work, 'chart.PNG'), 'picture');
  const result = await send({ path: 'chart.PNG', caption: '**Sales**' }, { callKey: `${conversationId}/3/1/c` });
  expect(result).toMatchObject({ status: 'ok', text: 'Queued for sending: chart.PNG (7 B).' });
  expect([...sent.values()]).toEqual([
    {
      key: `${conversationId}/3/1/c`,
      conversationId,
      turn: 3,
      name: 'chart.PNG',
      mediaType: 'image/png',
      caption: '**Sales**',
      blobId: `${conversationId}/3/1/c/file`,
      sizeBytes: 7,
    },
  ]);
  const blob = await bench.store.blobs.get(`${conversationId}/3/1/c/file`);
  expect(blob).toMatchObject({ mediaType: 'image/png', bytes: Buffer.from('picture') });
});

it('sends what the first try read when it is tried again', async () => {
  const path = join(bench.work, 'changing.txt');
  const callKey = `${conversationId}/3/1/again`;
  await writeFile(path, 'first');
  await send({ path }, { callKey });
  await writeFile(path, 'second one');
  await send({ path }, { callKey, attempt: 2 });
  expect(sent.size).toBe(1);
  expect(sent.get(callKey)).toMatchObject({ sizeBytes: 5 });
  expect((await bench.store.blobs.get(`${callKey}/file`))?.bytes.toString()).toBe('first');
});

it('says how much the chat takes and sends nothing that is larger', async () => {
  await writeFile(join(bench.work, 'large.bin'), Buffer.alloc(1001, 1));
  const result = await send({ path: 'large.bin' });
  expect(result.status).toBe('error');
  expect(result.text).toContain('Nothing was sent');
  expect(sent.size).toBe(0);
});

it('names the path where there is no chat', async () => {
  await writeFile(join(bench.work, 'report.txt'), 'x');
  limit = null;
  const path = join(bench.work, 'report.txt');
  expect((await send({ path: 'report.txt' })).text).toContain(path);
  expect((await send({ path: 'report.txt' }, { port: undefined })).text).toContain(path);
  expect(sent.size).toBe(0);
});

it('tells the model of files that are missing, empty or folders', async () => {
  await writeFile(join(bench.work, 'empty.txt'), '');
  await mkdir(join(bench.work, 'folder'), { recursive: true });
  for (const path of ['missing.txt', 'empty.txt', 'folder']) {
    expect((await send({ path })).status, path).toBe('error');
  }
  expect(sent.size).toBe(0);
});

it('is judged as reading is: also where a relative path leads', async () => {
  await mkdir(join(bench.home, '.ssh'), { recursive: true });
  await writeFile(join(bench.home, '.ssh', 'id_ed25519'), 'key');
  const asRead = await bench.plan('read_file', { path: '~/.ssh/id_ed25519' });
  const plan = await registry.plan(
    { id: 'call', name: 'send_file', argumentsText: '{"path":"~/.ssh/id_ed25519"}' },
    { conversationId, personId, deps: deps(outbound) },
  );
  if (plan.kind !== 'planned' || asRead.kind !== 'planned') throw new Error('not planned');
  expect(plan.plan.blocked).toBe(asRead.plan.blocked);
  expect(plan.plan.approval?.reason).toBe(asRead.plan.approval?.reason);
  expect(plan.plan.blocked ?? plan.plan.approval).toBeDefined();
  expect((await send({ path: '../.ssh/id_ed25519' })).status).toBe('error');
  expect(sent.size).toBe(0);
});

it('shows no secret in a caption', async () => {
  await writeFile(join(bench.work, 'plan.txt'), 'plan');
  await send({ path: 'plan.txt', caption: 'the password is hunter2' });
  expect([...sent.values()].map(({ caption }) => caption)).toEqual(['the password is [secret]']);
});
