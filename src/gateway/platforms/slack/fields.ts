/** Reading what Slack sent: every value may be missing or of another kind. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An empty object where there is none. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** Only the objects of a list; none where it is no list. */
export function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

/** Null for an empty text too. */
export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Ids and time stamps: short, of plain characters. Null for anything else. */
export function idOf(value: unknown, longest = 40): string | null {
  return typeof value === 'string' && value.length <= longest && /^[\w.-]+$/.test(value) ? value : null;
}

/** `1700000000.000100` as ISO; null when it is no time stamp. */
export function isoOf(ts: unknown): string | null {
  if (typeof ts !== 'string' || !/^\d{1,11}(\.\d{1,9})?$/.test(ts)) return null;
  return new Date(Math.round(Number(ts) * 1000)).toISOString();
}
