import { join } from 'node:path';
import type { PartName, PartRecord, PartRecords } from './part.ts';
import { readJson, writeJson, type TroubleRecord } from './run-files.ts';

/**
 * What is known of parts, in files that are written at once whenever something changes: `parts.json` for the next
 * supervisor, `trouble.json` for whoever waits for a part that keeps dying.
 */
export function partRecords(runDir: string): PartRecords & { readonly all: () => readonly [PartName, PartRecord][] } {
  const partsFile = join(runDir, 'parts.json');
  const troubleFile = join(runDir, 'trouble.json');
  const known = readJson<Record<string, PartRecord>>(partsFile) ?? {};
  const records = new Map(Object.entries(known) as [PartName, PartRecord][]);
  const troubles = new Map<PartName, TroubleRecord>();
  writeJson(troubleFile, {});
  return {
    all: () => [...records],
    get: (name) => records.get(name),
    set: (name, record) => {
      if (record === undefined) records.delete(name);
      else records.set(name, record);
      writeJson(partsFile, Object.fromEntries(records));
    },
    setTrouble: (name, trouble) => {
      if (trouble === undefined && !troubles.delete(name)) return;
      if (trouble !== undefined) troubles.set(name, trouble);
      writeJson(troubleFile, Object.fromEntries(troubles));
    },
  };
}
