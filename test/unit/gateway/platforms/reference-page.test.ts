import { readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { platformsPage } from '../../../../src/gateway/platforms/reference-page.ts';
import { platforms } from '../../../../src/gateway/platforms/registry.ts';

const file = new URL('../../../../docs/platforms.md', import.meta.url);

it('docs/platforms.md is what the descriptors say (npm run docs:config writes it)', async () => {
  const options = await resolveConfig(file);
  expect(readFileSync(file, 'utf8')).toBe(await format(platformsPage(platforms), { ...options, parser: 'markdown' }));
});

it('names every platform and every setting its set-up asks for', () => {
  const page = platformsPage(platforms);
  for (const { id, title, setup } of platforms) {
    expect(page).toContain(`## ${title}`);
    for (const { setting } of setup) if (setting !== undefined) expect(page).toContain(`\`gateway.${id}.${setting}\``);
  }
});
