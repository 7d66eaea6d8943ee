import { isFields, list, type Fields } from '../json-fields.ts';

/** Only the objects of a list; none where it is no list. */
export function listOf(value: unknown): readonly Fields[] {
  return list(value).filter(isFields);
}

/** Ids and time stamps of Slack: short, of plain characters. Null for anything else. */
export function idOf(value: unknown, longest = 40): string | null {
  return typeof value === 'string' && value.length <= longest && /^[\w.-]+$/.test(value) ? value : null;
}

/** `1700000000.000100` as ISO; null when it is no time stamp. */
export function isoOf(ts: unknown): string | null {
  if (typeof ts !== 'string' || !/^\d{1,11}(\.\d{1,9})?$/.test(ts)) return null;
  return new Date(Math.round(Number(ts) * 1000)).toISOString();
}
