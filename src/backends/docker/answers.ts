import { statusOf } from './errors.ts';

/** Answers of the daemon as they are: it says null for an empty list or map, whatever the library's types say. */

export function listOf<T>(list: readonly T[] | null | undefined): readonly T[] {
  return list ?? [];
}

export function keysOf(map: object | null | undefined): string[] {
  return Object.keys(map ?? {});
}

export function labelsOf(map: Readonly<Record<string, string>> | null | undefined): Record<string, string | undefined> {
  return map ?? {};
}

/** A list says `<none>:<none>` or nothing at all for an image without a tag. */
export function tagsOf(tags: readonly string[] | null | undefined): string[] {
  return (tags ?? []).filter((tag) => tag !== '<none>:<none>');
}

/** Null where the daemon answers with one of these. */
export async function unless<T>(statuses: readonly number[], answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (statuses.includes(statusOf(error) ?? 0)) return null;
    throw error;
  }
}
