import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { isAlias, isMap, isScalar, LineCounter, parseDocument, type Document, type Node, type Pair } from 'yaml';
import type { Problem } from './problem.ts';
import { findSetting, isGroup, suggestKey } from './schema.ts';

/** A value as it stands in a file, not yet checked. */
export interface Entry {
  readonly raw: unknown;
  /** As the person wrote it, where it is a single value. */
  readonly source: string | null;
  readonly file: string;
  readonly line: number | null;
}

export interface FileReading {
  /** By dotted key. A key without a value (`name:`) counts as not set and is left out. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly problems: readonly Problem[];
}

const nothing: FileReading = { entries: new Map(), problems: [] };

/** Reads config.yaml or secrets.yaml. Never throws; a file that is not there is an empty one. */
export function readConfigFile(path: string, options: { readonly secrets: boolean }): FileReading {
  let text: string;
  try {
    if (options.secrets) {
      const refusal = secretsModeProblem(path);
      if (refusal !== null) return { entries: new Map(), problems: [refusal] };
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return nothing;
    return { entries: new Map(), problems: [fileProblem(path, `cannot be read: ${(error as Error).message}`)] };
  }
  return readConfigText(text, path, options);
}

/** As {@link readConfigFile} for text that is at hand; `path` is only named. */
export function readConfigText(text: string, path: string, options: { readonly secrets: boolean }): FileReading {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = [...document.errors, ...document.warnings].map((error): Problem => ({
    kind: 'syntax',
    severity: error.name === 'YAMLWarning' ? 'warning' : 'error',
    where: path,
    line: lines.linePos(error.pos[0]).line,
    key: null,
    message: `${basename(path)} is not valid YAML: ${error.message}`,
    suggestion: null,
  }));
  // A file that does not parse has no trustworthy values: half of a list could be missing.
  if (document.errors.length > 0) return { entries: new Map(), problems: syntax };
  const walk = new Walk(document, lines, path);
  walk.group(document.contents, '');
  return { entries: walk.entries, problems: [...syntax, ...walk.problems, ...misplaced(walk.entries, path, options)] };
}

class Walk {
  readonly entries = new Map<string, Entry>();
  readonly problems: Problem[] = [];
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #path: string;

  constructor(document: Document, lines: LineCounter, path: string) {
    this.#document = document;
    this.#lines = lines;
    this.#path = path;
  }

  group(found: unknown, prefix: string): void {
    const node = isAlias(found) ? found.resolve(this.#document) : found;
    if (node === null || node === undefined || (isScalar(node) && node.value === null)) return;
    if (!isMap(node)) {
      const what = prefix === '' ? basename(this.#path) : prefix;
      this.#problem(
        node,
        prefix === '' ? null : prefix,
        `${what} holds keys with values, each on a line of its own`,
        null,
      );
      return;
    }
    for (const pair of node.items) this.#pair(pair, prefix);
  }

  #pair(pair: Pair, prefix: string): void {
    const name = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
    const path = prefix === '' ? name : `${prefix}.${name}`;
    // A dot inside a name would pass for a group and its key.
    if (!name.includes('.') && isGroup(path)) {
      this.group(pair.value, path);
      return;
    }
    if (!name.includes('.') && findSetting(path) !== undefined) {
      const node = pair.value as Node | null;
      const raw = node === null ? null : (node.toJS(this.#document) as unknown);
      const source = isScalar(node) && typeof node.source === 'string' ? node.source : null;
      if (raw !== null)
        this.entries.set(path, { raw, source, file: this.#path, line: this.#line(pair.value ?? pair.key) });
      return;
    }
    if (findSetting(path) !== undefined) {
      const last = path.lastIndexOf('.');
      const message = `${path} is written as "${path.slice(0, last)}:" with "${path.slice(last + 1)}:" indented below it`;
      this.#problem(pair.key, path, message, null);
      return;
    }
    this.#problem(pair.key, path, `there is no key ${path}`, suggestKey(path));
  }

  #problem(at: unknown, key: string | null, message: string, suggestion: string | null): void {
    this.problems.push({
      kind: 'unknown-key',
      severity: 'error',
      where: this.#path,
      line: this.#line(at),
      key,
      message,
      suggestion,
    });
  }

  #line(node: unknown): number | null {
    const start = (node as Node | null)?.range?.[0];
    return start === undefined ? null : this.#lines.linePos(start).line;
  }
}

function misplaced(
  entries: ReadonlyMap<string, Entry>,
  path: string,
  options: { readonly secrets: boolean },
): Problem[] {
  const problems: Problem[] = [];
  for (const [key, { line }] of entries) {
    const secret = findSetting(key)?.setting.secret ?? false;
    if (secret === options.secrets) continue;
    const message = secret
      ? `${key} is a secret and belongs in secrets.yaml; "hermes config set ${key} VALUE" moves it there`
      : `${key} is no secret and belongs in config.yaml`;
    problems.push({ kind: 'misplaced', severity: 'warning', where: path, line, key, message, suggestion: null });
  }
  return problems;
}

/** Why a secrets file of this mode is not used, or null. Throws where the file cannot be looked at. */
export function secretsModeProblem(path: string): Problem | null {
  if (process.platform === 'win32') return null;
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) === 0) return null;
  const octal = `0${mode.toString(8)}`;
  return fileProblem(
    path,
    `others may read it (mode ${octal}), so it is not used; run: chmod 600 ${JSON.stringify(path)}`,
  );
}

function fileProblem(path: string, message: string): Problem {
  return { kind: 'file', severity: 'error', where: path, line: null, key: null, message, suggestion: null };
}
