import { describe, it } from 'vitest';

/**
 * Defines tests that need an engine beside Node. Where it cannot be had (`why` says so) they are left out and the report
 * names the reason, so that a person's machine passes; in CI that is a failure.
 */
export function withEngine<T>(name: string, why: string | null, define: () => T): T | undefined {
  if (why === null) return define();
  if (process.env['CI'] !== undefined) throw new Error(`The tests of the ${name} backend cannot run: ${why}`);
  console.warn(`left out, the tests of the ${name} backend: ${why}`);
  // A file without any test would count as broken.
  describe.skip(`${name} (${why})`, () => {
    it('runs', () => undefined);
  });
  return undefined;
}
