import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ToolContext } from '../../../src/tools/define-tool.ts';
import { createToolRegistry } from '../../../src/tools/registry.ts';
import { saveAttachment } from '../../../src/tools/save-attachment.ts';
import type { ToolDeps } from '../../../src/tools/tool-deps.ts';
import { conversationId, openToolBench, personId, type ToolBench } from './support/tool-bench.ts';

let bench: ToolBench;
const registry = createToolRegistry([saveAttachment]);
const attachment = '0123456789ab';

beforeAll(async () => {
  bench = await openToolBench();
  await keep(conversationId, Buffer.from('picture'));
});
afterAll(() => bench.close());

function keep(conversation: string, bytes: Buffer, id = attachment): Promise<void> {
  return bench.store.blobs.put({
    id: `${conversation}/in/${id}`,
    conversationId: conversation,
    mediaType: 'image/png',
    bytes,
  });
}

function context(): ToolContext {
  const deps: ToolDeps = {
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
    redact: (text) => text,
  };
  return {
    conversationId,
    personId,
    turn: 3,
    step: 1,
    callKey: `${conversationId}/3/1/0`,
    attempt: 1,
    signal: new AbortController().signal,
    draining: new AbortController().signal,
    answer: undefined,
    terminal: () => Promise.resolve(bench.session),
    deps,
  };
}

const save = (args: { attachment: string; path: string }) => registry.run('save_attachment', args, context());

it('writes what the person sent to a path, with its folders', async () => {
  const path = join(bench.work, 'in/chart.png');
  expect(await save({ attachment, path: 'in/chart.png' })).toMatchObject({
    status: 'ok',
    text: `Saved 7 B (image/png): ${path}`,
  });
  expect(await readFile(path, 'utf8')).toBe('picture');
  expect(await save({ attachment, path: 'in/chart.png' })).toMatchObject({ status: 'ok' });
});

it('writes a large one whole', async () => {
  const bytes = Buffer.alloc(3 * 1024 * 1024 + 5, 'abc');
  await keep(conversationId, bytes, 'aaaaaaaaaaaa');
  expect(await save({ attachment: 'aaaaaaaaaaaa', path: 'large.bin' })).toMatchObject({ status: 'ok' });
  expect((await readFile(join(bench.work, 'large.bin'))).equals(bytes)).toBe(true);
});

it("knows no other conversation's attachments", async () => {
  await bench.store.conversations.create({ id: 'c-other', personId, platform: 'telegram' });
  await keep('c-other', Buffer.from('private'), 'bbbbbbbbbbbb');
  const result = await save({ attachment: 'bbbbbbbbbbbb', path: 'theirs.txt' });
  expect(result).toMatchObject({ status: 'error', text: expect.stringContaining('no attachment') as string });
  const far = await save({ attachment: '../../c-other/in/bbbbbbbbbbbb', path: 'theirs.txt' }).catch(String);
  expect(JSON.stringify(far)).not.toContain('Saved');
  await expect(readFile(join(bench.work, 'theirs.txt'))).rejects.toMatchObject({ code: 'ENOENT' });
});

it('asks where write_file would ask, also where a link leads there', async () => {
  const argumentsText = JSON.stringify({ attachment, path: '~/.bashrc' });
  const planned = await registry.plan({ id: 'call-1', name: 'save_attachment', argumentsText }, context());
  expect(planned).toMatchObject({
    kind: 'planned',
    plan: { summary: 'save_attachment: ~/.bashrc', approval: { title: `Save attachment ${attachment} as ~/.bashrc` } },
  });
  await mkdir(join(bench.home, '.ssh'), { recursive: true });
  await symlink(join(bench.home, '.ssh'), join(bench.work, 'folder'));
  const result = await save({ attachment, path: 'folder/authorized_keys' });
  expect(result.status).toBe('error');
});
