/** Removes secrets from a text. Pure, linear in the text, and applying it twice changes nothing more. */
export type Redactor = (text: string) => string;

export interface RedactorOptions {
  /** Secret values of this installation, as they are; short ones are ignored, they would hit ordinary words. */
  readonly known: readonly string[];
}

const shortestKnown = 8;
const maxPasses = 8;

/**
 * One shape of secret. Every pattern begins with a literal or a bounded class and has only bounded or disjoint
 * repetitions, so that no text makes it slow.
 */
interface Shape {
  readonly kind: string;
  readonly pattern: RegExp;
  /** Keeps what comes before the secret; the pattern's first group. */
  readonly keepsPrefix?: true;
}

const shapes: readonly Shape[] = [
  {
    kind: 'private-key',
    pattern:
      /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----END )){0,20000}(?:-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----)?/g,
  },
  { kind: 'anthropic-key', pattern: /\bsk-ant-[A-Za-z0-9_-]{16,400}/g },
  { kind: 'openrouter-key', pattern: /\bsk-or-[A-Za-z0-9_-]{16,400}/g },
  { kind: 'api-key', pattern: /\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,400}/g },
  { kind: 'stripe-key', pattern: /\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,200}/g },
  { kind: 'github-token', pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{30,255})/g },
  { kind: 'gitlab-token', pattern: /\bglpat-[A-Za-z0-9_-]{20,100}/g },
  { kind: 'aws-key', pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g },
  { kind: 'slack-token', pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,255}|\bxapp-[A-Za-z0-9-]{10,255}/g },
  { kind: 'telegram-token', pattern: /(?<![A-Za-z0-9_])(?:bot)?\d{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])/g },
  { kind: 'google-key', pattern: /\bAIza[A-Za-z0-9_-]{35}/g },
  { kind: 'huggingface-token', pattern: /\bhf_[A-Za-z0-9]{30,100}/g },
  { kind: 'npm-token', pattern: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { kind: 'jwt', pattern: /\beyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{8,2000}/g },
  {
    kind: 'authorization',
    pattern:
      /\b((?:Bearer|Basic|token)[ \t]{1,4})(?!\[redacted:)(?=[A-Za-z._~+/=-]{0,200}\d)[A-Za-z0-9._~+/=-]{16,4000}/gi,
    keepsPrefix: true,
  },
  {
    kind: 'url-password',
    pattern: /(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/?#@'"[\]]{0,200}:)(?!\[redacted:)[^\s/@'"]{1,400}(?=@)/gi,
    keepsPrefix: true,
  },
];

const assignment =
  /(?<![A-Za-z0-9_])("?'?[A-Za-z0-9_.-]{0,60}?(?:api[_-]?key|access[_-]?key(?:[_-]?id)?|secret(?:[_-]?access)?(?:[_-]?key)?|private[_-]?key|passwd|password|passphrase|client[_-]?secret|auth[_-]?token|token|credentials?)"?'?[ \t]{0,4}(?::(?!\/\/)|=(?![=>]))[ \t]{0,4})("[^"\n]{1,4000}"|'[^'\n]{1,4000}'|[^\s"',;&)}\]]{1,4000})/gi;

/** Values that name a secret without being one: `$TOKEN`, `<your-key>`, `null`, types, ellipses. */
const harmlessValue =
  /^["']?(?:\$.*|<.*|\{.*|%.*|\*+|\.{2,}.*|x{3,}|null|none|nil|undefined|true|false|string|str|number|boolean|any|required|optional|process\.env.*|os\.environ.*|env\..*|.{0,5}|\[redacted.*)["']?$/is;

/**
 * Makes the function every text passes before it leaves a tool, a log line or a preview.
 * What it finds becomes `[redacted:kind]`.
 */
export function createRedactor(options: RedactorOptions): Redactor {
  const known = knownPattern(options.known);
  const once: Redactor = (text) => {
    let result = known === null ? text : text.replace(known, '[redacted:secret]');
    for (const { kind, pattern, keepsPrefix } of shapes) {
      const mark = `[redacted:${kind}]`;
      result = result.replace(pattern, (_all: string, prefix: unknown) =>
        keepsPrefix === true && typeof prefix === 'string' ? prefix + mark : mark,
      );
    }
    return result.replace(assignment, redactAssignment);
  };
  return (text) => {
    // A replaced secret may uncover another that was glued to it.
    let before = text;
    for (let pass = 0; pass < maxPasses; pass += 1) {
      const after = once(before);
      if (after === before) return after;
      before = after;
    }
    return before;
  };
}

function redactAssignment(all: string, prefix: string, value: string): string {
  if (harmlessValue.test(value) || value.includes('[redacted:') || /[(){]/.test(value)) return all;
  const quote = /^["']/.exec(value)?.[0] ?? '';
  // One plain word after a space is prose or code: `password = input`.
  if (quote === '' && /^[a-z]+$/i.test(value) && /[ \t]$/.test(prefix)) return all;
  return `${prefix}${quote}[redacted:value]${quote}`;
}

function knownPattern(values: readonly string[]): RegExp | null {
  const forms = new Set<string>();
  for (const value of values) {
    for (const form of [value, value.trim(), encodeURIComponent(value), JSON.stringify(value).slice(1, -1)]) {
      if (form.length >= shortestKnown && !'[redacted:secret]'.includes(form)) forms.add(form);
    }
  }
  if (forms.size === 0) return null;
  // Longest first: a secret that holds another goes as a whole.
  const sorted = [...forms].sort((a, b) => b.length - a.length);
  return new RegExp(sorted.map((form) => form.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')).join('|'), 'g');
}
