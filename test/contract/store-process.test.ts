import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open-store.ts';
import { tempDir } from '../unit/store/support/open-temp-store.ts';

const entry = join(import.meta.dirname, '../../src/store/main.ts');

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', entry, ...args], { encoding: 'utf8', timeout: 30_000 });
}

describe('the store as a process', () => {
  it('backs up, lists, restores the latest and checks, for people and programs', async () => {
    const home = tempDir();
    const store = await openStore({ file: join(home, 'hermes.db'), backupDir: join(home, 'backups') });
    await store.conversations.create({ id: 'a', personId: 'anna', platform: 'cli' });
    await store.close();

    const backup = run('backup', '--home', home, '--json');
    const made = JSON.parse(backup.stdout) as { folder: string; files: { name: string }[] };
    expect(made.files.map((file) => file.name)).toEqual(['hermes.db']);
    expect(existsSync(join(made.folder, 'manifest.json'))).toBe(true);
    expect(run('list', '--home', home).stdout.trim()).toBe(made.folder.slice(join(home, 'backups').length + 1));

    const restored = run('restore', '--home', home, '--from', 'latest');
    expect(restored).toMatchObject({ status: 0, stderr: '' });
    expect(restored.stdout).toMatch(/Restored hermes\.db[^]*before-restore/);
    expect(JSON.parse(run('check', '--home', home, '--json').stdout)).toMatchObject({ conversations: 1 });
  });

  it('says what is wrong and exits 1, or 2 for wrong usage', () => {
    const home = tempDir();
    const missing = run('check', '--home', home);
    expect(missing.status).toBe(1);
    expect(missing.stderr).toMatch(/^hermes: There is no database/);
    const json = run('restore', '--home', home, '--from', 'none', '--json');
    expect(json.status).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'Storage.Unavailable' } });
    expect(run('explode', '--home', home).status).toBe(2);
    expect(run('backup').status).toBe(2);
  });
});
