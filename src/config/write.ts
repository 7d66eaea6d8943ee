import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { removeLeftovers, writeFileAtomic } from './atomic-file.ts';
import { checkValue } from './check-value.ts';
import { setInYaml, unsetInYaml } from './edit-yaml.ts';
import { withFileLock } from './file-lock.ts';
import { homePaths, type Environment } from './home.ts';
import { describeProblem, resolveConfig, type ConfigPlace, type LoadedConfig, type Problem } from './load.ts';
import { readConfigText, secretsModeProblem } from './read-file.ts';
import { findSetting, suggestKey, type NamedSetting } from './schema.ts';

/** Nothing was written; `problems` say why. The message is fit for people. */
export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(describeProblem).join('\n'));
    this.problems = problems;
  }
}

/** A key with its value as text (`"90"`, `"a,b"`, `"true"`), as a person types it; null takes the key out. */
export interface Change {
  readonly key: string;
  readonly value: string | null;
}

export interface Written {
  /** Files that changed, config.yaml or secrets.yaml or both; none when every value already stood there. */
  readonly files: readonly string[];
  /** What the change needs besides, or what keeps it from taking effect. */
  readonly notices: readonly Problem[];
}

/**
 * Changes keys in config.yaml and secrets.yaml, all or none. Secrets go to secrets.yaml (mode 0600) and leave
 * config.yaml. Comments and order stay; each file is replaced in one step; two writers take turns.
 *
 * @throws ConfigRefused for unknown keys, invalid values, values that contradict others, and files that are not valid
 *   YAML (those are never overwritten). @throws LockTimeout when another writer does not finish.
 */
export async function changeConfig(place: ConfigPlace, changes: readonly Change[]): Promise<Written> {
  const checked = check(changes);
  mkdirSync(place.home, { recursive: true, mode: 0o700 });
  return await withFileLock(lockPath(place.home), (assertHeld) => write(place, checked, assertHeld));
}

function lockPath(home: string): string {
  return `${homePaths(home).configFile}.lock`;
}

interface CheckedChange {
  readonly named: NamedSetting;
  /** JSON as it goes into the file; undefined takes the key out. */
  readonly value: unknown;
}

function check(changes: readonly Change[]): CheckedChange[] {
  const problems: Problem[] = [];
  const checked: CheckedChange[] = [];
  for (const { key, value } of changes) {
    const named = findSetting(key);
    if (named === undefined) {
      problems.push(refusal(key, `there is no key ${key}`, suggestKey(key)));
      continue;
    }
    const raw = value === null ? null : named.setting.fromText(value);
    if (raw === null) {
      checked.push({ named, value: undefined });
      continue;
    }
    const result = checkValue(named, raw);
    if (result.ok) checked.push({ named, value: typeof raw === 'string' ? raw.trim() : raw });
    else problems.push(refusal(key, result.message, result.suggestion));
  }
  if (problems.length > 0) throw new ConfigRefused(problems);
  return checked;
}

function refusal(key: string, message: string, suggestion: string | null): Problem {
  return { kind: 'invalid-value', severity: 'error', where: 'not changed', line: null, key, message, suggestion };
}

interface OpenFile {
  readonly path: string;
  readonly secrets: boolean;
  readonly before: string;
  after: string;
}

function write(place: ConfigPlace, changes: readonly CheckedChange[], assertHeld: () => void): Written {
  const { configFile, secretsFile } = homePaths(place.home);
  const plain = open(configFile, false);
  const secret = open(secretsFile, true);
  for (const { named, value } of changes) {
    const [home, other] = named.setting.secret ? [secret, plain] : [plain, secret];
    apply(home, named.key, value);
    apply(other, named.key, undefined);
  }
  // Secrets first: killed in between, a key stands in both files and none is lost.
  const changed = [secret, plain].filter((file) => file.after !== file.before);
  const notices = judge(place.env, changes, { plain, secret });
  for (const file of changed) {
    assertHeld();
    removeLeftovers(file.path);
    writeFileAtomic(file.path, file.after, file.secrets ? 0o600 : undefined);
  }
  return { files: changed.map((file) => file.path), notices };
}

function open(path: string, secrets: boolean): OpenFile {
  const exists = statSync(path, { throwIfNoEntry: false }) !== undefined;
  const wide = exists && secrets ? secretsModeProblem(path) : null;
  if (wide !== null) throw new ConfigRefused([wide]);
  const before = exists ? readFileSync(path, 'utf8') : '';
  const broken = readConfigText(before, path, { secrets }).problems.filter(({ kind }) => kind === 'syntax');
  if (broken.length > 0) throw new ConfigRefused(broken);
  return { path, secrets, before, after: before };
}

const greeting = {
  config: '# Settings of Hermes. All keys with their meaning: hermes config list\n',
  secrets: '# Keys and tokens of Hermes. Not for sharing; the mode of this file must stay 0600.\n',
};

function apply(file: OpenFile, key: string, value: unknown): void {
  const path = key.split('.') as [string, ...string[]];
  const stands = readConfigText(file.after, file.path, { secrets: file.secrets }).entries.has(key);
  if (value === undefined && !stands) return;
  if (value !== undefined && file.after.trim() === '') file.after = file.secrets ? greeting.secrets : greeting.config;
  try {
    file.after = value === undefined ? unsetInYaml(file.after, path) : setInYaml(file.after, path, value);
  } catch (error) {
    throw new ConfigRefused([{ ...refusal(key, (error as Error).message, null), where: file.path }]);
  }
}

/** Says what the files would mean afterwards. Values that exclude each other are refused; what is missing is a notice. */
function judge(
  env: Environment,
  changes: readonly CheckedChange[],
  files: { plain: OpenFile; secret: OpenFile },
): Problem[] {
  const resolve = (state: 'before' | 'after'): LoadedConfig =>
    resolveConfig({
      plain: readConfigText(files.plain[state], files.plain.path, { secrets: false }),
      secrets: readConfigText(files.secret[state], files.secret.path, { secrets: true }),
      env,
    });
  const known = new Set(resolve('before').problems.map(({ message }) => message));
  const { problems, sources } = resolve('after');
  const fresh = problems.filter(({ kind, message }) => kind === 'contradiction' && !known.has(message));
  if (fresh.length > 0) throw new ConfigRefused(fresh);
  const overridden = changes.flatMap(({ named: { key } }): Problem[] => {
    const source = sources.get(key);
    if (source?.from !== 'env') return [];
    const message = `${source.name} in the environment is stronger than what the file says about ${key}`;
    return [
      { kind: 'overridden', severity: 'warning', where: 'environment', line: null, key, message, suggestion: null },
    ];
  });
  return [...problems, ...overridden];
}
