/** One place of a text that is to be replaced. */
export interface Place {
  /** UTF-16 range in the text. */
  readonly start: number;
  readonly end: number;
  /** What goes there: the new text, indented and line-ended as its surroundings are. */
  readonly replacement: string;
}

/** How closely the old text had to be taken. */
type Tolerance = 'exact' | 'characters' | 'whitespace' | 'indentation';

export interface Located {
  readonly places: readonly Place[];
  readonly tolerance: Tolerance;
}

/**
 * Finds every place where `oldText` stands: exactly, else with typographic quotes, dashes and spaces taken for plain ones,
 * else line by line without trailing white space, else also without indentation. The first way that finds anything counts.
 * Pure; overlapping places count once.
 */
export function locate(text: string, oldText: string, newText: string): Located | null {
  if (oldText === '') return null;
  const crlf = text.includes('\r\n');
  const replacement = crlf ? newText.replace(/\r?\n/g, '\r\n') : newText;
  const exact = substrings(text, oldText, replacement);
  if (exact.length > 0) return { places: exact, tolerance: 'exact' };
  const plainOld = plainCharacters(crlf ? oldText.replace(/\r?\n/g, '\r\n') : oldText.replaceAll('\r\n', '\n'));
  const characters = substrings(plainCharacters(text), plainOld, replacement);
  if (characters.length > 0) return { places: characters, tolerance: 'characters' };
  for (const tolerance of ['whitespace', 'indentation'] as const) {
    const places = windows(text, oldText, newText, tolerance);
    if (places.length > 0) return { places, tolerance };
  }
  return null;
}

function substrings(text: string, part: string, replacement: string): Place[] {
  const places: Place[] = [];
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) {
    places.push({ start: at, end: at + part.length, replacement });
  }
  return places;
}

/** One plain character for each fancy one, so that positions stay the same. */
function plainCharacters(text: string): string {
  return text
    .replace(/[\u2018\u2019\u201A\u201B\u2032]/g, "'")
    .replace(/[\u201C\u201D\u201E\u201F\u2033]/g, '"')
    .replace(/[\u2010-\u2015\u2212]/g, '-')
    .replace(/[\u00A0\u2000-\u200A\u202F\u205F\u3000]/g, ' ');
}

export interface Line {
  readonly start: number;
  /** Without its line end. */
  readonly end: number;
  readonly text: string;
}

export function linesOf(text: string): readonly Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (const raw of text.split('\n')) {
    const content = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    lines.push({ start, end: start + content.length, text: content });
    start += raw.length + 1;
  }
  return lines;
}

type LineTolerance = Extract<Tolerance, 'whitespace' | 'indentation'>;

function comparable(line: string, tolerance: LineTolerance): string {
  const plain = plainCharacters(line);
  return tolerance === 'whitespace' ? plain.trimEnd() : plain.trim().replace(/\s+/g, ' ');
}

function windows(text: string, oldText: string, newText: string, tolerance: LineTolerance): Place[] {
  const lines = linesOf(text);
  const wanted = trimBlank(linesOf(oldText).map((line) => line.text));
  if (wanted.length === 0) return [];
  const keys = lines.map((line) => comparable(line.text, tolerance));
  const wantedKeys = wanted.map((line) => comparable(line, tolerance));
  const places: Place[] = [];
  for (let at = 0; at + wanted.length <= lines.length; at += 1) {
    if (!wantedKeys.every((key, index) => keys[at + index] === key)) continue;
    const first = lines[at];
    const last = lines[at + wanted.length - 1];
    if (first === undefined || last === undefined) continue;
    const found = lines.slice(at, at + wanted.length).map((line) => line.text);
    const replaced = trimBlank(linesOf(newText).map((line) => line.text));
    const lineEnd = text.includes('\r\n') ? '\r\n' : '\n';
    places.push({ start: first.start, end: last.end, replacement: reindent(replaced, wanted, found).join(lineEnd) });
    at += wanted.length - 1;
  }
  return places;
}

function trimBlank(lines: readonly string[]): string[] {
  const from = lines.findIndex((line) => line.trim() !== '');
  if (from < 0) return [];
  const to = lines.findLastIndex((line) => line.trim() !== '');
  return lines.slice(from, to + 1);
}

function indentOf(line: string | undefined): string {
  return /^[ \t]*/.exec(line ?? '')?.[0] ?? '';
}

/** Gives the new lines the indentation the file has where the old text was written with another. */
function reindent(lines: readonly string[], wanted: readonly string[], found: readonly string[]): string[] {
  const index = wanted.findIndex((line) => line.trim() !== '');
  const written = indentOf(wanted[index]);
  const real = indentOf(found[index]);
  if (written === real) return [...lines];
  return lines.map((line) => {
    if (line.trim() === '') return line;
    return line.startsWith(written) ? real + line.slice(written.length) : real + line.trimStart();
  });
}

/** The lines that look most like the wanted ones, for an error a model can act on. */
export function nearest(
  text: string,
  oldText: string,
): { readonly firstLine: number; readonly lines: readonly string[] } | null {
  const wanted = trimBlank(linesOf(oldText).map((line) => line.text));
  const lines = linesOf(text).map((line) => line.text);
  const sets = wanted.slice(0, maxCompared).map(wordsOf);
  if (lines.length > maxLines || sets.length === 0) return null;
  const known = lines.map(wordsOf);
  let best = { score: 0, at: -1 };
  for (let at = 0; at < lines.length; at += 1) {
    const score = sets.reduce((sum, set, index) => sum + similarity(set, known[at + index]), 0) / sets.length;
    if (score > best.score) best = { score, at };
  }
  if (best.score < leastSimilarity) return null;
  return { firstLine: best.at + 1, lines: lines.slice(best.at, best.at + Math.min(wanted.length, maxCompared)) };
}

const maxCompared = 12;
const maxLines = 50_000;
const leastSimilarity = 0.3;

function wordsOf(line: string): ReadonlySet<string> {
  return new Set(
    plainCharacters(line)
      .toLowerCase()
      .match(/\w+|[^\s\w]/g) ?? [],
  );
}

/** Share of common words, 0 to 1. */
function similarity(a: ReadonlySet<string>, b: ReadonlySet<string> | undefined): number {
  if (b === undefined) return 0;
  if (a.size === 0 && b.size === 0) return 1;
  let common = 0;
  for (const word of a) if (b.has(word)) common += 1;
  return (2 * common) / (a.size + b.size);
}
