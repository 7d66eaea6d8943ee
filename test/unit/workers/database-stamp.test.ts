import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimDatabase, readDatabaseStamp } from '../../../src/workers/temporal/database-stamp.ts';
import { serverArguments } from '../../../src/workers/temporal/server-command.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hermes-stamp-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const binary = { cli: '1.9.1', server: '1.32.0' };

describe('claimDatabase', () => {
  it('stamps a file before it is made', () => {
    const file = join(folder, 'temporal.db');
    claimDatabase(file, binary);
    expect(existsSync(file)).toBe(false);
    expect(readDatabaseStamp(file)).toMatchObject(binary);
  });

  it('accepts another patch level and keeps the stamp of the maker', () => {
    const file = join(folder, 'temporal.db');
    claimDatabase(file, binary);
    writeFileSync(file, '');
    claimDatabase(file, { cli: '1.9.5', server: '1.32.4' });
    expect(readDatabaseStamp(file)).toMatchObject(binary);
  });

  it('refuses another line and names both versions', () => {
    const file = join(folder, 'temporal.db');
    claimDatabase(file, { cli: '1.8.2', server: '1.31.2' });
    writeFileSync(file, '');
    expect(() => claimDatabase(file, binary)).toThrow(/1\.31\.2.*1\.32\.0/);
  });

  it('stamps anew when the file was moved away', () => {
    const file = join(folder, 'temporal.db');
    claimDatabase(file, { cli: '1.8.2', server: '1.31.2' });
    claimDatabase(file, binary);
    expect(readDatabaseStamp(file)).toMatchObject(binary);
  });
});

describe('serverArguments', () => {
  const options = { dbFile: '/home/t.db', port: 7233, uiPort: 8233, namespace: 'default' };

  it('listens on loopback and survives a power cut', () => {
    const args = serverArguments(options).join(' ');
    expect(args).toContain('--ip 127.0.0.1 --port 7233 --ui-port 8233 --db-filename /home/t.db');
    expect(args).toContain('--sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=2');
  });

  it('lets no queue idle between polls', () => {
    const args = serverArguments(options);
    for (const queue of ['transfer', 'timer', 'visibility']) {
      expect(args).toContain(`history.${queue}ProcessorMaxPollRPS=2000`);
    }
  });

  it('has no UI without a port for it', () => {
    expect(serverArguments({ ...options, uiPort: undefined })).toContain('--headless');
  });
});
