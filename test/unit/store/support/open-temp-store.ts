import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openStore } from '../../../../src/store/open-store.ts';
import type { ConversationRow, Store } from '../../../../src/store/ports.ts';
import { commitOf, usage, type CommitInput } from './commit-of.ts';

/** A folder of the test's own, gone when it ends. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-store-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A store in a folder of its own, closed when the test ends. */
export async function openTempStore(dir = tempDir()): Promise<Store & { readonly file: string }> {
  const file = join(dir, 'hermes.db');
  const store = await openStore({ file, backupDir: join(dir, 'backups') });
  onTestFinished(() => store.close());
  return { ...store, file };
}

/** A store with one conversation in it. */
export async function openTalk(): Promise<{
  store: Store & { readonly file: string };
  talk: ConversationRow;
  /** Accepts a message and takes it into step 1 of a turn. */
  say: (turn: number, text: string) => Promise<void>;
  answer: (turn: number, step: number, more?: Partial<CommitInput>) => ReturnType<Store['steps']['commit']>;
}> {
  const store = await openTempStore();
  const talk = await store.conversations.create({ id: 'talk', personId: 'anna', platform: 'cli' });
  const say = async (turn: number, text: string): Promise<void> => {
    const id = `in-${turn}`;
    await store.inbox.accept({ id, conversationId: talk.id, personId: 'anna', platform: 'cli', text });
    await store.steps.begin({ conversationId: talk.id, turn, step: 1, inboundIds: [id] });
  };
  const answer = (turn: number, step: number, more: Partial<CommitInput> = {}) =>
    store.steps.commit(commitOf(talk.id, turn, step, more));
  return { store, talk, say, answer };
}

/** A step that calls tools: `run_command` for each index given. */
export function toolStep(
  conversationId: string,
  turn: number,
  step: number,
  indexes: readonly number[],
  effect: 'read' | 'once' = 'read',
): Partial<CommitInput> {
  const callKey = (index: number): string => `${conversationId}/${turn}/${step}/${index}`;
  return {
    text: '',
    toolCalls: indexes.map((index) => ({ id: `call-${index}`, name: 'run_command', argumentsText: '{}' })),
    planned: indexes.map((index) => ({
      callKey: callKey(index),
      index,
      toolCallId: `call-${index}`,
      name: 'run_command',
      argumentsText: '{}',
      summary: 'run_command: true',
      effect,
      timeoutMs: 1000,
    })),
    outcome: { kind: 'tools', usage, preview: '', calls: [] },
  };
}
