export interface TruncateOptions {
  /** UTF-16 units the result has at most, notice included. */
  readonly maxChars: number;
  /** What `read_file` takes to show the rest, e.g. `blob:abc`. Absent: the rest cannot be read. */
  readonly reference?: string;
}

/** Share of the kept text that is head; the end of a long output usually says more. */
const headShare = 0.4;
/** Room for the notice itself. */
const noticeChars = 200;

/**
 * Keeps head and tail of a text that is too long, cut between lines where a line end is near and never inside a code
 * point, with a notice between them that says how much is missing and how to read it. Pure; a short text comes back as
 * it is.
 */
export function truncateMiddle(text: string, options: TruncateOptions): string {
  if (text.length <= options.maxChars) return text;
  const room = Math.max(options.maxChars - noticeChars - (options.reference?.length ?? 0), 0);
  const headEnd = cutBefore(text, Math.floor(room * headShare));
  const tailStart = cutAfter(text, text.length - (room - Math.floor(room * headShare)), headEnd);
  const omitted = text.slice(headEnd, tailStart);
  const lines = countLineEnds(omitted);
  const size = `${String(omitted.length)} characters${lines > 0 ? ` (${String(lines)} lines)` : ''}`;
  const hint = options.reference === undefined ? '' : `; read all of it with read_file ${options.reference}`;
  const head = text.slice(0, headEnd);
  const notice = `[… ${size} left out here${hint} …]`;
  return [head, head === '' || head.endsWith('\n') ? '' : '\n', notice, '\n', text.slice(tailStart)].join('');
}

/** A cut may move this share of its distance to reach a line end; beyond that the line is cut. */
const maxShift = 0.5;

function cutBefore(text: string, at: number): number {
  const lineEnd = text.lastIndexOf('\n', at - 1) + 1;
  if (at > 0 && lineEnd >= at * (1 - maxShift)) return lineEnd;
  return splitsCodePoint(text, at) ? at - 1 : at;
}

function cutAfter(text: string, at: number, notBefore: number): number {
  const start = Math.max(at, notBefore);
  if (text.charAt(start - 1) === '\n') return start;
  const next = text.indexOf('\n', start) + 1;
  if (next > 0 && next <= start + (text.length - start) * maxShift) return next;
  return splitsCodePoint(text, start) ? start + 1 : start;
}

function splitsCodePoint(text: string, at: number): boolean {
  return /[\uD800-\uDBFF]/.test(text.charAt(at - 1)) && /[\uDC00-\uDFFF]/.test(text.charAt(at));
}

function countLineEnds(text: string): number {
  let count = 0;
  for (let index = text.indexOf('\n'); index >= 0; index = text.indexOf('\n', index + 1)) count += 1;
  return count;
}
