import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Tells other processes that a part is ready: whole or not at all. */
export function writeRunFile(path: string, content: Readonly<Record<string, string | number | null>>): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${String(process.pid)}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

/** On a clean stop. Idempotent. */
export function removeRunFile(path: string): void {
  rmSync(path, { force: true });
}
