import { readFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { configurationPage } from '../../../src/config/reference-page.ts';
import { allSettings } from '../../../src/config/schema.ts';

const file = new URL('../../../docs/configuration.md', import.meta.url);

it('docs/configuration.md is what the schema says (npm run docs:config writes it)', async () => {
  const options = await resolveConfig(file);
  expect(readFileSync(file, 'utf8')).toBe(await format(configurationPage(), { ...options, parser: 'markdown' }));
});

it('names every key and every variable', () => {
  const page = configurationPage();
  for (const { key, env } of allSettings()) {
    if (key.startsWith('providers.')) continue;
    for (const word of [key, ...env]) expect(page).toContain(`\`${word}\``);
  }
});
