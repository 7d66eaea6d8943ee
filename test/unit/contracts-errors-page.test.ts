import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { failureTypes } from '../../src/contracts/failure-types.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
const rows = [...page.matchAll(/^\| `([A-Za-z]+\.[A-Za-z]+)` \| (yes|no) \|/gmu)].map(([, code, retried]) => [
  code,
  retried === 'yes',
]);

it('docs/errors.md lists exactly the codes there are, and whether they are retried', () => {
  const codes = Object.entries(failureTypes).map(([code, { retryable }]) => [code, retryable]);
  expect(new Map(rows as [string, boolean][])).toEqual(new Map(codes as [string, boolean][]));
});
