/** `npm run docs:config`: writes docs/configuration.md from the schema, and docs/platforms.md from the descriptors. */
import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { configurationPage } from '../src/config/reference-page.ts';
import { platformsPage } from '../src/gateway/platforms/reference-page.ts';
import { platforms } from '../src/gateway/platforms/registry.ts';

await write('configuration', configurationPage());
await write('platforms', platformsPage(platforms));

async function write(name: string, text: string): Promise<void> {
  const file = new URL(`../docs/${name}.md`, import.meta.url);
  const options = await resolveConfig(file);
  writeFileSync(file, await format(text, { ...options, parser: 'markdown' }));
}
