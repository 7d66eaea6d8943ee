import type { Environment } from './home.ts';
import { Secret } from './secret.ts';
import type { Config } from './schema.ts';

const secretName =
  /(^|_)(API_?KEYS?|ACCESS_?KEYS?|PRIVATE_?KEYS?|SECRET_?KEYS?|ENCRYPTION_?KEYS?|SECRETS?|TOKENS?|PASSWORDS?|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|AUTH)(_|\d|$)/i;
const pointerName = /(_(FILE|PATH|DIR|SOCK|URL|URI|ID|NAME|HOST|USER|TTL|LIMIT|MODE)|^(OLD)?PWD)$/i;
/** Shorter values occur in ordinary text and would black out half of it. */
const shortest = 6;

/**
 * Every secret this process knows, longest first and without doubles, for the redactor: secrets of the configuration,
 * environment variables whose names look secret, and passwords inside addresses of the environment.
 */
export function secretValues(config: Config, env: Environment): readonly string[] {
  const found = new Set<string>();
  const add = (value: string): void => {
    if (value.length >= shortest) found.add(value);
  };
  for (const section of Object.values(config)) collect(section, add);
  for (const [name, value] of Object.entries(env)) {
    const text = value?.trim() ?? '';
    if (secretName.test(name) && !pointerName.test(name) && !isPlainWord(text)) add(text);
    const password = passwordOf(text);
    if (password !== null) add(password);
  }
  return [...found].sort((left, right) => right.length - left.length || (left < right ? -1 : 1));
}

/** The configuration as plain JSON in which secrets are masked. */
export function maskSecrets(config: Config): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(config)) as Record<string, unknown>;
}

function collect(node: unknown, add: (value: string) => void): void {
  if (node instanceof Secret) add(node.reveal());
  else if (typeof node === 'object' && node !== null) for (const inner of Object.values(node)) collect(inner, add);
}

/** Switches and paths stand under such names too (`SOME_TOKEN=true`, `AUTH=/run/x`) and hide nothing. */
function isPlainWord(text: string): boolean {
  return /^(true|false|yes|no|on|off|none|null|disabled|enabled|default|\d{1,5})$/i.test(text) || text.startsWith('/');
}

function passwordOf(text: string): string | null {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/\s]*@/i.test(text) || !URL.canParse(text)) return null;
  const { password } = new URL(text);
  if (password === '') return null;
  try {
    return decodeURIComponent(password);
  } catch {
    // A lone % is allowed in an address and means itself.
    return password;
  }
}
