/** Readers of what came over the wire: each gives the value, or null where it is not what it must be. */
export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** Ids are whole numbers that JavaScript can hold; addresses carry them as text. */
export function idOf(value: unknown): string | null {
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null;
}

export function sizeOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

/** Seconds since 1970 as ISO; now where the platform gives none that could be. */
export function timeOf(value: unknown): string {
  const seconds = sizeOf(value);
  return new Date(seconds === null || seconds > 1e11 ? Date.now() : seconds * 1_000).toISOString();
}
