import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { installationId } from '../../../src/config/installation-id.ts';

const folder = mkdtempSync(join(tmpdir(), 'hermes-installation-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is made once and stays', () => {
  const file = join(folder, 'new', 'installation-id');
  const id = installationId(file);
  expect(id).toMatch(/^[0-9a-f]{12}$/);
  expect(installationId(file)).toBe(id);
  expect(readFileSync(file, 'utf8')).toBe(`${id}\n`);
});

it('is refused when the file holds something else', () => {
  const file = join(folder, 'broken');
  writeFileSync(file, 'what?');
  expect(() => installationId(file)).toThrow('put it back from a backup');
});
