import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { maskSecrets, secretValues } from '../../../src/config/secret-values.ts';
import { createRedactor } from '../../../src/lib/redact.ts';

it('secrets of every account of a platform are known to the redactor, and masked', () => {
  const home = mkdtempSync(join(tmpdir(), 'hermes-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const file = join(home, 'secrets.yaml');
  writeFileSync(
    file,
    'gateway:\n  telegram:\n    token: first-words-of-mine\n    accounts:\n      work:\n        token: second-words-of-mine\n',
  );
  chmodSync(file, 0o600);
  const { config, problems } = loadConfig({ home, env: {} });
  expect(problems).toEqual([]);
  const redact = createRedactor({ known: secretValues(config, {}) });
  expect(redact('a first-words-of-mine b second-words-of-mine c')).toBe('a [redacted:secret] b [redacted:secret] c');
  expect(JSON.stringify(maskSecrets(config))).not.toContain('words-of-mine');
});
