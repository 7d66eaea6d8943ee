/** `npm run docs:config`: writes docs/configuration.md from the schema. */
import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { configurationPage } from '../src/config/reference-page.ts';

const file = new URL('../docs/configuration.md', import.meta.url);
const options = await resolveConfig(file);
writeFileSync(file, await format(configurationPage(), { ...options, parser: 'markdown' }));
