import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { watchFolder } from '../../../src/backends/folder-watch.ts';

const folder = mkdtempSync(join(tmpdir(), 'hermes-watch-'));
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('watchFolder', () => {
  it('wakes at a change, remembers one that came between two waits, and stops waiting at the signal', async () => {
    const watch = watchFolder(folder, ['a', 'b']);
    const since = Date.now();
    setTimeout(() => {
      writeFileSync(join(folder, 'a'), '1');
    }, 30);
    await watch.next(20_000);
    writeFileSync(join(folder, 'b'), '1');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await watch.next(20_000);
    expect(Date.now() - since).toBeLessThan(10_000);
    const abort = new AbortController();
    const waiting = watch.next(20_000, abort.signal);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    watch.close();
  });

  it('looks again by itself, soon, where there is nothing to watch', async () => {
    const watch = watchFolder(join(folder, 'missing'), ['a']);
    const since = Date.now();
    for (let look = 0; look < 5; look++) await watch.next(20_000);
    expect(Date.now() - since).toBeLessThan(5_000);
    watch.close();
  });
});
