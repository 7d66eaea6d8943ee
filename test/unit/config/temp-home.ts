import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface TempHome {
  readonly home: string;
  readonly configFile: string;
  readonly secretsFile: string;
}

/** A home folder of its own, removed when the test is over. */
export function tempHome(files: { readonly config?: string; readonly secrets?: string } = {}): TempHome {
  const home = mkdtempSync(join(tmpdir(), 'hermes-config-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const configFile = join(home, 'config.yaml');
  const secretsFile = join(home, 'secrets.yaml');
  if (files.config !== undefined) writeFileSync(configFile, files.config);
  if (files.secrets !== undefined) writeFileSync(secretsFile, files.secrets, { mode: 0o600 });
  return { home, configFile, secretsFile };
}
