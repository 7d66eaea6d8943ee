/** Reading what came from outside: every function takes anything and never throws. */
export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object; none of anything else. */
export function fields(value: unknown): Fields {
  return isFields(value) ? value : {};
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text that is not empty, or null. */
export function words(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** An id in an event: short enough for a key, without control characters; else null. */
export function name(value: unknown): string | null {
  return typeof value === 'string' && /^[^\u0000-\u001f]{1,100}$/.test(value) ? value : null;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

/** A whole number from 0 on, or null. */
export function whole(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** The instant as ISO, or null where milliseconds name none. */
export function instant(ms: unknown): string | null {
  const at = whole(ms);
  return at === null || at === 0 || at > 8.64e15 ? null : new Date(at).toISOString();
}

/** JSON, or undefined where the text is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
