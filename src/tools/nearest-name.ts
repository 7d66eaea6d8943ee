/** The name a wrong one most likely stands for; null when none is near. */
export function nearestName(wrong: string, names: readonly string[]): string | null {
  const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');
  let best: { name: string; distance: number } | null = null;
  for (const name of names) {
    const distance = editDistance(plain(wrong).slice(0, 60), plain(name));
    if (best === null || distance < best.distance) best = { name, distance };
  }
  const contained = names.find((name) => plain(name).includes(plain(wrong)) || plain(wrong).includes(plain(name)));
  if (best !== null && best.distance <= Math.max(2, best.name.length * 0.34)) return best.name;
  const words = wrong.toLowerCase().split(/[^a-z0-9]+/);
  const shared = names.find((name) => name.split('_').some((word) => word.length > 3 && words.includes(word)));
  return plain(wrong).length >= 3 ? (contained ?? shared ?? null) : null;
}

/** Levenshtein, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a.charAt(i - 1) === b.charAt(j - 1) ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
