import type { PartName, PartRecord, PartRecords } from './part.ts';
import { readJson, writeJson } from './run-files.ts';

/** Records of running parts in one file, written at once whenever one starts or ends. */
export function partRecords(path: string): PartRecords & { readonly all: () => readonly [PartName, PartRecord][] } {
  const records = new Map<PartName, PartRecord>(
    Object.entries(readJson<Record<string, PartRecord>>(path) ?? {}) as [PartName, PartRecord][],
  );
  return {
    all: () => [...records],
    get: (name) => records.get(name),
    set: (name, record) => {
      if (record === undefined) records.delete(name);
      else records.set(name, record);
      writeJson(path, Object.fromEntries(records));
    },
  };
}
