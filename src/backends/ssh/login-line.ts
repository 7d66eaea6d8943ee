/**
 * A line that any login shell (sh and its kin, csh, fish) reads alike and that runs `script` with sh: nothing in it but
 * single quotes around characters that no shell minds there. csh would take a `!`, fish a backslash before a quote.
 */
export function loginLine(script: string): string {
  return `exec sh -c 'eval "$(printf %b "${encode(script)}")"'`;
}

const plain = /[^A-Za-z0-9 _./:=,@%+-]/gu;

function encode(script: string): string {
  return script.replace(plain, (char) =>
    [...Buffer.from(char)].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join(''),
  );
}
