/**
 * The candidate that was probably meant, or null when none is close: few slips, or a beginning of three letters or more.
 * Letter case, `-`, `_` and `.` do not count, so `base_url` finds `baseUrl`.
 */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const wanted = plain(word);
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const given = plain(candidate);
    const begun = wanted.length >= 3 && given !== wanted && given.startsWith(wanted);
    const distance = begun ? 1 : editDistance(wanted, given);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** As {@link nearest} for dotted keys; a bare last part (`baseUrl`) finds the first key that ends so. */
export function nearestKey(word: string, keys: readonly string[]): string | null {
  const lastPart = (key: string): string => key.slice(key.lastIndexOf('.') + 1);
  const exactTail = keys.find((key) => plain(lastPart(key)) === plain(lastPart(word)));
  const whole = nearest(word, keys);
  if (whole !== null && (exactTail === undefined || plain(lastPart(whole)) === plain(lastPart(word)))) return whole;
  if (exactTail !== undefined) return exactTail;
  const tail = nearest(lastPart(word), keys.map(lastPart));
  return tail === null ? null : (keys.find((key) => lastPart(key) === tail) ?? null);
}

function plain(text: string): string {
  return text.toLowerCase().replaceAll(/[-_.\s]/g, '');
}

/** Optimal string alignment: insert, delete, replace, or swap two neighbours, each costs one. */
export function editDistance(left: string, right: string): number {
  const a = Array.from(left);
  const b = Array.from(right);
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, fromA] of a.entries()) {
    const row = [i + 1];
    for (const [j, fromB] of b.entries()) {
      const replaced = (previous[j] ?? 0) + (fromA === fromB ? 0 : 1);
      const swapped =
        i > 0 && j > 0 && fromA === b[j - 1] && a[i - 1] === fromB ? (beforePrevious[j - 1] ?? 0) + 1 : Infinity;
      row.push(Math.min((previous[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1, replaced, swapped));
    }
    [beforePrevious, previous] = [previous, row];
  }
  return previous[b.length] ?? 0;
}
