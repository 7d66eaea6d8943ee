import { checkValue, type Checked } from './check-value.ts';
import { expandHome, homePaths, type Environment } from './home.ts';
import { crossChecks } from './cross-checks.ts';
import { readEnvironment } from './read-environment.ts';
import { describeProblem, hasErrors, type Problem } from './problem.ts';
import { readConfigFile, type Entry, type FileReading } from './read-file.ts';
import { allSettings, settingsOfAccounts, type Config, type NamedSetting } from './schema.ts';

export { describeProblem, hasErrors, type Problem };

/** Where a value comes from. */
export type Source =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly file: string; readonly line: number | null }
  | { readonly from: 'env'; readonly name: string };

export interface LoadedConfig {
  /** Complete and frozen. A key with a problem has its next weaker value: the file's, else the default. */
  readonly config: Config;
  /** Everything that is wrong, errors and warnings. A service must not start on errors. */
  readonly problems: readonly Problem[];
  /** By dotted key, for every key that has a value or a default. */
  readonly sources: ReadonlyMap<string, Source>;
}

export interface ConfigPlace {
  readonly home: string;
  readonly env: Environment;
}

/**
 * Reads config.yaml, secrets.yaml and the environment; the environment is stronger than the files, the files than
 * the defaults. Synchronous, never throws, writes nothing.
 */
export function loadConfig({ home, env }: ConfigPlace): LoadedConfig {
  const { configFile, secretsFile } = homePaths(home);
  const plain = readConfigFile(configFile, { secrets: false });
  return resolveConfig({ plain, secrets: readConfigFile(secretsFile, { secrets: true }), env });
}

/** As {@link loadConfig} for files that were read already. */
export function resolveConfig(read: { plain: FileReading; secrets: FileReading; env: Environment }): LoadedConfig {
  const { plain, secrets, env } = read;
  const environment = readEnvironment(env);
  const problems: Problem[] = [...plain.problems, ...secrets.problems, ...environment.problems];
  const sources = new Map<string, Source>();
  const values = new Map<string, unknown>();
  const accounts = settingsOfAccounts([...plain.entries.keys(), ...secrets.entries.keys()]);
  for (const named of [...allSettings(), ...accounts]) {
    const entry = secrets.entries.get(named.key) ?? plain.entries.get(named.key);
    const resolved =
      fromEnvironment(named, environment.values, problems) ?? fromFile(named, entry, problems) ?? atRest(named);
    if (resolved === null) continue;
    values.set(named.key, expandPath(named, resolved.value, env));
    sources.set(named.key, resolved.source);
  }
  const config = assemble(values);
  problems.push(...crossChecks(config, (key) => place(sources.get(key))));
  return { config, problems, sources };
}

interface Resolved {
  readonly value: unknown;
  readonly source: Source;
}

function fromEnvironment(
  named: NamedSetting,
  values: ReadonlyMap<string, string>,
  problems: Problem[],
): Resolved | null {
  for (const name of named.env) {
    const text = values.get(name);
    if (text === undefined) continue;
    const checked = checkValue(named, named.setting.fromText(text));
    if (checked.ok) return { value: checked.value, source: { from: 'env', name } };
    problems.push(refusal(checked, { where: 'environment', line: null, key: name, prefix: `${name}: ` }));
  }
  return null;
}

function fromFile(named: NamedSetting, entry: Entry | undefined, problems: Problem[]): Resolved | null {
  if (entry === undefined) return null;
  const checked = checkValue(named, entry.raw, entry.source);
  const { file, line } = entry;
  if (checked.ok) return { value: checked.value, source: { from: 'file', file, line } };
  problems.push(refusal(checked, { where: file, line, key: named.key, prefix: '' }));
  return null;
}

function atRest({ key, setting }: NamedSetting): Resolved | null {
  // Keys of a provider nobody mentions are left out: `providers` holds only what was set.
  return key.startsWith('providers.') ? null : { value: setting.default, source: { from: 'default' } };
}

function refusal(
  checked: Extract<Checked, { ok: false }>,
  at: { where: string; line: number | null; key: string; prefix: string },
): Problem {
  const { where, line, key, prefix } = at;
  return {
    kind: 'invalid-value',
    severity: 'error',
    where,
    line,
    key,
    message: prefix + checked.message,
    suggestion: checked.suggestion,
  };
}

function expandPath({ key }: NamedSetting, value: unknown, env: Environment): unknown {
  return typeof value === 'string' && key.endsWith('File') ? expandHome(value, env) : value;
}

function place(source: Source | undefined): { where: string; line: number | null } {
  if (source?.from === 'file') return { where: source.file, line: source.line };
  return { where: source?.from === 'env' ? 'environment' : 'configuration', line: null };
}

type Tree = Record<string, unknown>;

function assemble(values: ReadonlyMap<string, unknown>): Config {
  const root: Tree = { providers: {} };
  for (const [key, value] of values) {
    const parts = key.split('.');
    const name = parts.pop() ?? '';
    let node = root;
    for (const part of parts) node = (node[part] ??= {}) as Tree;
    node[name] = value;
  }
  for (const provider of Object.values(root['providers'] as Record<string, Tree>)) {
    provider['apiKey'] ??= null;
    provider['baseUrl'] ??= null;
  }
  // Every key of every section was put in by its setting, checked by its schema.
  return deepFreeze(root) as unknown as Config;
}

function deepFreeze(value: Tree): Tree {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && !Object.isFrozen(inner)) deepFreeze(inner as Tree);
  }
  return Object.freeze(value);
}
