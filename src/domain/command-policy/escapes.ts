const simple: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\u0007',
  b: '\b',
  f: '\f',
  v: '\v',
  e: '\u001b',
  E: '\u001b',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '?': '?',
};

const escapePattern = /\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|0?([0-7]{1,3})|c(.)|([\s\S]))/g;

function codePoint(value: number): string {
  return value <= 0x10ffff ? String.fromCodePoint(value) : '';
}

/** Decodes the escapes of `$'…'`, `echo -e` and `printf`. What it does not know stays as it is. */
export function decodeEscapes(text: string): string {
  return text.replace(escapePattern, (all: string, ...groups: (string | undefined)[]) => {
    const [hex, u4, u8, octal, control, plain] = groups;
    const hexDigits = hex ?? u4 ?? u8;
    if (hexDigits !== undefined) return codePoint(parseInt(hexDigits, 16));
    if (octal !== undefined) return codePoint(parseInt(octal, 8) & 0xff);
    if (control !== undefined) return codePoint(control.charCodeAt(0) & 0x1f);
    return simple[plain ?? ''] ?? all;
  });
}

/** @returns the decoded text, or null when it is no base64. */
export function decodeBase64(text: string): string | null {
  const compact = text
    .replace(/[\s=]+/g, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/');
  if (!/^[A-Za-z0-9+/]*$/.test(compact) || compact.length % 4 === 1) return null;
  return atob(compact);
}

/** @returns the decoded text, or null when it is no plain hex dump. */
export function decodeHex(text: string): string | null {
  const compact = text.replace(/\s+/g, '');
  if (compact.length % 2 === 1 || !/^[0-9a-fA-F]*$/.test(compact)) return null;
  return compact.replace(/../g, (pair) => String.fromCharCode(parseInt(pair, 16)));
}
