import { readFileSync } from 'node:fs';

const { version: declared } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Version of this program, as package.json declares it. */
export const version = declared;
