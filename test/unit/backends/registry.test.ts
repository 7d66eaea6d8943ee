import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { baseEnvironment } from '../../../src/backends/base-environment.ts';
import { backendIds, openBackend } from '../../../src/backends/registry.ts';

describe('the table of backends', () => {
  it('opens every backend under its own id', async () => {
    const runsDir = mkdtempSync(join(tmpdir(), 'hermes-registry-'));
    const options = { local: { runsDir, cwd: runsDir, baseEnv: baseEnvironment(process.env) } };
    for (const id of backendIds) expect((await openBackend(id, options)).id).toBe(id);
    expect(readdirSync(runsDir)).toEqual([]);
    rmSync(runsDir, { recursive: true });
  });

  it('names the known ones when asked for another', async () => {
    const options = { local: { runsDir: '/x', cwd: '/', baseEnv: {} } };
    await expect(openBackend('toString', options)).rejects.toMatchObject({
      code: 'Config.Invalid',
      message: expect.stringContaining('local') as string,
    });
  });
});
