import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open-store.ts';
import { tempDir } from '../unit/store/support/open-temp-store.ts';

interface Told {
  readonly created: number;
  readonly committed: number;
  readonly answers: readonly string[];
  readonly current: string;
}

const writer = join(import.meta.dirname, '../unit/store/support/writer.ts');

/** Does every turn in a process of its own, at the same time as the others. */
function runWriter(dir: string, name: string, turns: number): Promise<Told> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', writer, dir, name, String(turns)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (part: Buffer) => (output += part.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) done(JSON.parse(output) as Told);
      else reject(new Error(`writer ${name} ended with ${code}`));
    });
  });
}

describe('several processes on one store', () => {
  it('agree on one message, one answer and one cost for every turn', async () => {
    const dir = tempDir();
    const turns = 60;
    // The file does not exist yet: they also race for making it.
    const told = await Promise.all(['a', 'b', 'c'].map((name) => runWriter(dir, name, turns)));
    const sum = (pick: (one: Told) => number): number => told.reduce((total, one) => total + pick(one), 0);
    expect(sum((one) => one.created)).toBe(turns);
    expect(sum((one) => one.committed)).toBe(turns);
    expect(new Set(told.map((one) => JSON.stringify(one.answers))).size).toBe(1);
    expect(new Set(told.map((one) => one.current)).size).toBe(1);

    const store = await openStore({ file: join(dir, 'hermes.db'), backupDir: dir });
    const messages = await store.transcript.load('talk', { fromTurn: 0 });
    expect(messages.map((row) => row.text)).toEqual(
      (told[0]?.answers ?? []).flatMap((answer, index) => [`in-${index + 1}`, answer]),
    );
    const talk = await store.conversations.get('talk');
    expect(talk).toMatchObject({ lastTurn: turns, messageCount: 2 * turns, usage: { costUsd: turns } });
    expect(await store.usage.costSince('anna', '2020-01-01T00:00:00Z')).toBe(turns);
    await store.close();
  });
});
