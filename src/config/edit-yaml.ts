import { isDeepStrictEqual } from 'node:util';
import { Document, isMap, isScalar, parseDocument, YAMLMap, type Node, type Pair, type ParsedNode } from 'yaml';

type Keys = readonly [string, ...string[]];
type Tree = { [key: string]: unknown };

/**
 * Puts a value at a path and changes nothing else: comments, order, spacing and line ends stay as the person wrote
 * them. Where the text cannot be changed in place (a section in braces), the document is printed anew, with comments
 * and order kept. Missing sections are added at the end.
 *
 * @param text Valid YAML; empty counts as an empty file.
 * @throws Error when neither way gives a file with exactly that change (anchors shared between keys).
 */
export function setInYaml(text: string, path: Keys, value: unknown): string {
  const wanted = plainTree(text);
  assign(wanted, path, value);
  return firstThatGives(wanted, text, [
    (unix) => setInPlace(unix, path, value),
    (unix) => reprint(unix, (document) => setInDocument(document, path, value)),
  ]);
}

/** Takes a key out; its section stays if it holds comments or other keys. See {@link setInYaml}. */
export function unsetInYaml(text: string, path: Keys): string {
  const wanted = plainTree(text);
  assign(wanted, path, undefined);
  return firstThatGives(wanted, text, [
    (unix) => unsetInPlace(unix, path),
    (unix) => reprint(unix, (document) => void document.deleteIn(path)),
  ]);
}

type Edit = (text: string) => string | null;

/** Edits work on `\n`; the file gets back the line ends it had. The result is parsed again before it is believed. */
function firstThatGives(wanted: Tree, text: string, edits: readonly Edit[]): string {
  const crlf = text.includes('\r\n');
  const unix = crlf ? text.replaceAll('\r\n', '\n') : text;
  for (const edit of edits) {
    const edited = edit(unix);
    if (edited === null || !isSame(edited, wanted)) continue;
    return crlf ? edited.replaceAll('\n', '\r\n') : edited;
  }
  throw new Error('the file uses YAML in a way that cannot be changed safely; edit it by hand');
}

function isSame(text: string, wanted: Tree): boolean {
  if (parseDocument(text).errors.length > 0) return false;
  try {
    return isDeepStrictEqual(pruned(plainTree(text)), pruned(wanted));
  } catch {
    // An alias to what the edit took away: not the same.
    return false;
  }
}

/* ---- in place ---- */

interface Place {
  readonly map: YAMLMap.Parsed;
  /** Column of the map's keys. */
  readonly indent: number;
  /** What is left of the path below the map; its head may exist without a value. */
  readonly rest: Keys;
  readonly pair: Pair<ParsedNode, ParsedNode | null> | undefined;
}

function setInPlace(text: string, path: Keys, value: unknown): string | null {
  const document = parseDocument(text);
  if (document.contents === null || isEmpty(document.contents)) {
    const gap = text === '' || text.endsWith('\n') ? '' : '\n';
    return text + gap + render(nested(path, value), 0);
  }
  const place = deepest(document.contents, path, text);
  if (place === null) return null;
  const [head, ...below] = place.rest;
  if (place.pair === undefined) {
    const last = place.map.items.at(-1);
    return last === undefined
      ? null
      : insertAfterLine(text, endOf(text, last), render(nested([head, ...below], value), place.indent));
  }
  const [next, ...others] = below;
  if (next !== undefined) {
    // A section without keys: its line stays, with whatever is written beside it.
    return insertAfterLine(text, endOf(text, place.pair), render(nested([next, ...others], value), place.indent + 2));
  }
  return replaceValue(text, place.pair, { [head]: value }, place.indent);
}

/** The last map along the path, or null where the text cannot be edited line by line. */
function deepest(contents: ParsedNode, path: Keys, text: string): Place | null {
  let map: unknown = contents;
  for (const [index, name] of path.entries()) {
    if (!isMap<ParsedNode, ParsedNode | null>(map) || map.flow === true) return null;
    const first = map.items[0];
    if (first === undefined) return null;
    const keyAt = startOf(first);
    const indent = keyAt - lineStart(text, keyAt);
    const pair = map.items.find((item) => isScalar(item.key) && item.key.value === name);
    const rest = path.slice(index) as [string, ...string[]];
    if (pair === undefined || isEmpty(pair.value) || rest.length === 1) {
      return { map: map as YAMLMap.Parsed, indent, rest, pair };
    }
    map = pair.value;
  }
  return null;
}

function replaceValue(text: string, pair: Pair<ParsedNode, ParsedNode | null>, entry: Tree, indent: number): string {
  const from = startOf(pair);
  const to = endOf(text, pair);
  const rendered = render(entry, indent);
  const range = pair.value?.range;
  const inline = rendered
    .trimEnd()
    .slice(rendered.indexOf(':') + 1)
    .trimStart();
  if (range != null && !inline.includes('\n') && !text.slice(from, to).includes('\n')) {
    const gap = /\s/.test(text[range[0] - 1] ?? '') ? '' : ' ';
    const after = text[range[1]] === '#' ? ' ' : '';
    return text.slice(0, range[0]) + gap + inline + after + text.slice(range[1]);
  }
  const comment = commentBesideKey(text, pair);
  const lines = comment === null ? rendered : rendered.replace(/ *\n/, () => ` ${comment}\n`);
  return text.slice(0, lineStart(text, from)) + lines + text.slice(lineEnd(text, to));
}

/** The comment on the key's line when the value stands on the lines below. */
function commentBesideKey(text: string, pair: Pair<ParsedNode, ParsedNode | null>): string | null {
  const start = pair.value?.range[0] ?? startOf(pair);
  const line = text.slice(startOf(pair), lineEnd(text, startOf(pair)));
  const below = start >= startOf(pair) + line.length;
  const header = below
    ? text.slice(pair.key.range[1], startOf(pair) + line.length)
    : text.slice(start, startOf(pair) + line.length);
  return (below ? /^\s*:\s+(#.*)/ : /^[|>][-+0-9]*\s+(#.*)/).exec(header)?.[1]?.trimEnd() ?? null;
}

function unsetInPlace(text: string, path: Keys): string | null {
  const { contents } = parseDocument(text);
  const place = contents === null || isEmpty(contents) ? null : deepest(contents, path, text);
  if (place?.pair === undefined || place.rest.length > 1) return null;
  const from = lineStart(text, startOf(place.pair));
  return text.slice(0, from) + text.slice(lineEnd(text, endOf(text, place.pair)));
}

function insertAfterLine(text: string, at: number, lines: string): string {
  const end = lineEnd(text, at);
  const before = text.slice(0, end);
  return (before.endsWith('\n') ? before : `${before}\n`) + lines + text.slice(end);
}

function startOf(pair: Pair<ParsedNode, ParsedNode | null>): number {
  return pair.key.range[0];
}

/** Where the pair's last visible character ends. */
function endOf(text: string, pair: Pair<ParsedNode, ParsedNode | null>): number {
  const end = isEmpty(pair.value) ? text.indexOf(':', pair.key.range[1]) + 1 : (pair.value?.range[1] ?? 0);
  return text.slice(0, end).trimEnd().length;
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf('\n', at - 1) + 1;
}

/** Index of the next line, or the text's end. */
function lineEnd(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline < 0 ? text.length : newline + 1;
}

function render(tree: Tree, indent: number): string {
  const lines = new Document(tree).toString({ lineWidth: 0 });
  const pad = ' '.repeat(indent);
  return lines.replaceAll(/^(?=[^\n])/gm, pad);
}

/* ---- printed anew ---- */

function reprint(text: string, change: (document: Document) => void): string | null {
  const document: Document = parseDocument(text);
  try {
    change(document);
    return document.toString({ lineWidth: 0 });
  } catch {
    // The path leads through an alias, or the change took away what one points to; the caller says so.
    return null;
  }
}

function setInDocument(document: Document, path: Keys, value: unknown): void {
  for (let depth = 0; depth < path.length; depth++) {
    const above = path.slice(0, depth);
    const node = depth === 0 ? document.contents : document.getIn(above, true);
    if (!isEmpty(node as Node | null | undefined)) continue;
    if (depth === 0) document.contents = new YAMLMap();
    else document.setIn(above, new YAMLMap());
  }
  document.setIn(path, value);
}

/* ---- trees ---- */

function isEmpty(node: Node | null | undefined): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null);
}

function plainTree(text: string): Tree {
  return (parseDocument(text).toJS() as Tree | null) ?? {};
}

function nested(path: Keys, value: unknown): Tree {
  return path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Tree;
}

function assign(tree: Tree, path: Keys, value: unknown): void {
  const [head, ...rest] = path;
  const [next, ...others] = rest;
  if (next === undefined) {
    tree[head] = value;
    return;
  }
  const inner = (tree[head] ?? {}) as Tree;
  tree[head] = inner;
  assign(inner, [next, ...others], value);
}

/** Without keys that have no value and sections that have no keys: they mean the same. */
function pruned(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const kept = Object.entries(value)
    .map(([key, inner]) => [key, pruned(inner)] as const)
    .filter(([, inner]) => inner !== undefined && inner !== null && !isDeepStrictEqual(inner, {}));
  return Object.fromEntries(kept);
}
