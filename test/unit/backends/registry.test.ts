import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { backendIds, openBackend } from '../../../src/backends/registry.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { backendOptions } from '../../../src/workers/compose/backend-options.ts';

const home = mkdtempSync(join(tmpdir(), 'hermes-registry-'));
afterAll(() => rmSync(home, { recursive: true }));

function options(env: Readonly<Record<string, string>> = {}) {
  const variables = { HOME: home, ...env };
  return backendOptions({ config: loadConfig({ home, env: variables }).config, home, env: variables });
}

describe('the table of backends', () => {
  it('opens every backend under its own id, with the defaults, and makes nothing', async () => {
    const before = options();
    for (const id of backendIds) {
      const backend = await openBackend(id, before);
      expect(backend.id).toBe(id);
      await backend.close();
    }
    expect(readdirSync(home)).toEqual(['installation-id']);
  });

  it('names the known ones when asked for another', async () => {
    await expect(openBackend('toString', options())).rejects.toMatchObject({
      code: 'Config.Invalid',
      message: expect.stringContaining('local') as string,
    });
  });

  it('hands settings on, secrets too, and leaves out what is not set', () => {
    const { docker, ssh, modal, daytona } = options({
      HERMES_TERMINAL_DOCKER_CPUS: '1.5',
      HERMES_TERMINAL_SSH_HOST: 'box',
      HERMES_TERMINAL_MODAL_TOKEN_SECRET: 'as-secret',
    });
    expect(docker).toMatchObject({ cpus: 1.5, image: 'debian:bookworm-slim' });
    expect(docker).not.toHaveProperty('host');
    expect(ssh).toMatchObject({ host: 'box', port: 22, knownHostsFile: join(home, 'backends/ssh/known_hosts') });
    expect(modal.tokenSecret).toBe('as-secret');
    expect(daytona).not.toHaveProperty('apiKey');
    expect(new Set([docker, ssh, modal, daytona].map(({ installationId }) => installationId)).size).toBe(1);
  });
});
