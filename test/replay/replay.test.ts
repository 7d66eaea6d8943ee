import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../src/workers/bundle.ts';

const folder = new URL('./histories/', import.meta.url);
/** `conversation/0.1.0-plain-turn.json`: the folder is the workflow's type. */
const recorded = readdirSync(fileURLToPath(folder), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.json'))
  .sort();

// What a history that does not fit makes the SDK say is this test's own expectation, not news.
Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
let code: string;
beforeAll(async () => {
  code = await bundleWorkflows();
});

/** @returns what today's code makes of a history: null when it does again what was recorded. */
async function replay(text: string, type = 'conversation'): Promise<Error | null> {
  const history = historyFromJSON(JSON.parse(text));
  const results = Worker.runReplayHistories({ workflowBundle: { code } }, [
    { workflowId: `${type}/recorded`, history },
  ]);
  for await (const { error } of results) return error ?? null;
  throw new Error('nothing was replayed');
}

const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');

describe('workflow code of today', () => {
  it.each(recorded)('replays %s', async (name) => {
    expect(await replay(read(name), name.split('/')[0])).toBeNull();
  });
});

describe('a history that another code has made', () => {
  it('is reported when an activity has another name', async () => {
    const text = read('conversation/0.1.0-plain-turn.json').replaceAll('"invokeModel"', '"askModel"');
    expect(await replay(text)).toBeInstanceOf(DeterminismViolationError);
  });

  it('is reported when an environment is made in another way', async () => {
    const text = read('environment/0.1.0-make-sleep-wake.json').replaceAll('"changeEnvironment"', '"moveEnvironment"');
    expect(await replay(text, 'environment')).toBeInstanceOf(DeterminismViolationError);
  });

  it('is reported when two activities come in another order', async () => {
    const text = read('conversation/0.1.0-delivered-answer-and-question.json');
    const other: Record<string, string> = { invokeModel: 'deliverMessage', deliverMessage: 'invokeModel' };
    const swapped = text.replaceAll(/"(invokeModel|deliverMessage)"/gu, (_, name: string) => `"${other[name] ?? ''}"`);
    expect(await replay(swapped)).toBeInstanceOf(DeterminismViolationError);
  });
});
