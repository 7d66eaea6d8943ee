import { chmodSync, closeSync, openSync, readFileSync, renameSync, writeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const fileName = 'chat-history';
const mostEntries = 1_000;
const longestEntry = 10_000;

/** What was typed in former chats, oldest first. One JSON string per line, since an entry may have several lines. */
export function readHistory(home: string): string[] {
  let text: string;
  try {
    text = readFileSync(join(home, fileName), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const entries = text.split('\n').flatMap(entryOf);
  if (entries.length > mostEntries * 2) rewrite(home, entries.slice(-mostEntries));
  return entries.slice(-mostEntries);
}

/** Appends one entry; several chats may do so at once. The file is for its owner alone. */
export function appendHistory(home: string, entry: string): void {
  if (entry.length > longestEntry) return;
  const path = join(home, fileName);
  const file = openSync(path, 'a', 0o600);
  try {
    writeSync(file, `${JSON.stringify(entry)}\n`);
  } finally {
    closeSync(file);
  }
  chmodSync(path, 0o600);
}

function rewrite(home: string, entries: readonly string[]): void {
  const path = join(home, fileName);
  const fresh = `${path}.${String(process.pid)}`;
  writeFileSync(fresh, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''), { mode: 0o600 });
  renameSync(fresh, path);
}

/** A line that a crash cut off is left out. */
function entryOf(line: string): string[] {
  if (line === '') return [];
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'string' ? [entry] : [];
  } catch {
    return [];
  }
}
