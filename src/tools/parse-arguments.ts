/** What a model wrote as arguments, or why it cannot be used. */
export type ParsedArguments =
  | { readonly ok: true; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly problem: string };

/**
 * Reads the arguments of a tool call. Repairs what leaves no doubt (code fences, raw line breaks in strings, trailing
 * commas, JSON inside a JSON string); never completes what was cut off, for half a file must not be written.
 */
export function parseArguments(text: string): ParsedArguments {
  const source = text.trim().replace(/^```(?:json)?\s*([\s\S]*?)\s*```$/, '$1');
  if (source === '') return { ok: true, value: {} };
  const candidates = [source, withoutTrailingCommas(escapeRawBreaks(source))];
  for (const candidate of candidates) {
    const value = tryParse(candidate);
    if (value === undefined) continue;
    if (isRecord(value)) return { ok: true, value };
    const inner = typeof value === 'string' ? tryParse(value) : undefined;
    if (isRecord(inner)) return { ok: true, value: inner };
    return { ok: false, problem: `The arguments must be one JSON object, not ${nameOf(value)}.` };
  }
  return { ok: false, problem: problemOf(source) };
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nameOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** Splits JSON into strings and what is between them; a last string may be open. */
const piecePattern = /"(?:[^"\\]|\\[\s\S])*(?:"|$)|[^"]+/g;

function escapeRawBreaks(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return text.replace(piecePattern, (piece) =>
    piece.startsWith('"') ? piece.replace(/[\n\r\t]/g, (char) => escapes[char] ?? char) : piece,
  );
}

function withoutTrailingCommas(text: string): string {
  // The comma and the bracket stand in one piece, or the comma would not be the last.
  return text.replace(piecePattern, (piece) => (piece.startsWith('"') ? piece : piece.replace(/,(\s*[}\]])/g, '$1')));
}

/** Says where the text stops making sense, by the name of the field. */
function problemOf(source: string): string {
  if (!source.startsWith('{')) return 'The arguments are no JSON object. Write them as {"field": value}.';
  const pieces = source.match(piecePattern) ?? [];
  let depth = 0;
  let open = false;
  let field = '';
  for (const [index, piece] of pieces.entries()) {
    if (piece.startsWith('"')) {
      open = !/^"(?:[^"\\]|\\[\s\S])*"$/.test(piece);
      if (!open && depth === 1 && /^\s*:/.test(pieces[index + 1] ?? '')) field = piece.slice(1, -1);
    } else {
      for (const char of piece) depth += char === '{' || char === '[' ? 1 : char === '}' || char === ']' ? -1 : 0;
    }
  }
  const at = field === '' ? '' : ` in field \`${field}\``;
  if (open || depth > 0) {
    return `The arguments end early${at}: the JSON is cut off after ${String(source.length)} characters. Nothing was done. Send the whole call again; split a long text into several calls.`;
  }
  return `The arguments are no valid JSON${at === '' ? '' : `, somewhere after the start of field \`${field}\``}. Escape quotes and backslashes in strings.`;
}
