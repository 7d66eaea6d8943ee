import { decodeBase64, decodeEscapes, decodeHex } from './escapes.ts';
import { normalise } from './paths.ts';
import { isKnown, unknownPiece, type Scope } from './scope.ts';

/** Longer output is not worth following. */
const maxChars = 100_000;

/**
 * What a harmless text command prints, so that a script hidden behind it can be read.
 *
 * @param input What comes through standard input; null when there is none.
 * @returns null when it cannot be known.
 */
export function knownOutput(argv: readonly string[], input: string | null, scope: Scope): string | null {
  const [path = '', ...args] = argv;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const output = printed(name, args, scope) ?? (input === null ? null : filtered(name, args, input));
  return output === null || output.length > maxChars ? null : output;
}

/** They print settings for the shell that asks, which changes nothing that is judged here. */
const shellHooks = new Set(['ssh-agent', 'direnv', 'opam', 'brew', 'pyenv', 'rbenv', 'conda']);

function printed(name: string, args: readonly string[], scope: Scope): string | null {
  if (shellHooks.has(name)) return '';
  switch (name) {
    case 'echo':
      return echo(args);
    case 'printf':
      return printf(args);
    case 'pwd':
      return scope.cwd;
    case 'which':
    case 'command':
    case 'type':
      return args.at(-1) ?? '';
    case 'cat':
      return args.length === 1 ? (scope.files.get(normalise(args[0] ?? '', scope.cwd))?.text ?? null) : null;
    default:
      return null;
  }
}

function echo(args: readonly string[]): string {
  const flags = args.findIndex((arg) => !/^-[neE]+$/.test(arg));
  const count = flags < 0 ? args.length : flags;
  const options = args.slice(0, count).join('');
  const text = args.slice(count).join(' ');
  return (options.includes('e') ? decodeEscapes(text) : text) + (options.includes('n') ? '' : '\n');
}

function printf(args: readonly string[]): string | null {
  const rest = args[0] === '--' ? args.slice(1) : args;
  const [format, ...values] = rest;
  if (format === undefined || format === '-v') return null;
  let output = '';
  let index = 0;
  do {
    const before = index;
    output += decodeEscapes(format).replace(/%(%|[-+ #0]*[\d.]*([sbqdixXoc]))/g, (_, all: string, kind?: string) => {
      if (all === '%') return '%';
      const value = values[index++] ?? '';
      return kind === 'b' ? decodeEscapes(value) : kind === 'c' ? value.charAt(0) : value;
    });
    if (index === before) break;
  } while (index < values.length && output.length < maxChars);
  return output;
}

function filtered(name: string, args: readonly string[], input: string): string | null {
  switch (name) {
    case 'cat':
    case 'head':
    case 'tail':
    case 'sort':
      return args.every((arg) => arg.startsWith('-') || /^\d+$/.test(arg)) ? input : null;
    case 'tee':
      return input;
    case 'rev':
      return input
        .split('\n')
        .map((line) => Array.from(line).reverse().join(''))
        .join('\n');
    case 'tr':
      return translate(args, input);
    default:
      return isKnown(input) ? decoded(name, args, input) : null;
  }
}

function decoded(name: string, args: readonly string[], input: string): string | null {
  const flags = args.filter((arg) => arg.startsWith('-')).join(' ');
  switch (name) {
    case 'base64':
      return /-\w*[dD]|--d/.test(flags) ? decodeBase64(input) : null;
    case 'openssl':
      return args.includes('-d') && /base64|enc/.test(args.join(' ')) ? decodeBase64(input) : null;
    case 'xxd':
      return flags.includes('r') && flags.includes('p') ? decodeHex(input) : null;
    default:
      return null;
  }
}

function characterSet(text: string): string {
  return decodeEscapes(text).replace(/(.)-(.)/g, (_, from: string, to: string) => {
    const first = from.charCodeAt(0);
    const count = Math.min(Math.max(to.charCodeAt(0) - first + 1, 0), 256);
    return Array.from({ length: count }, (_unused, index) => String.fromCharCode(first + index)).join('');
  });
}

function translate(args: readonly string[], input: string): string | null {
  const flag = args[0]?.startsWith('-') === true ? args[0] : '';
  const [from = '', to] = args.slice(flag === '' ? 0 : 1);
  if (from.includes('[:') || (flag !== '' && flag !== '-d') || !isKnown(input)) {
    // Classes and complements only narrow a text; what is left cannot be known.
    return flag === '-d' && from === '[:space:]' ? input.replace(/\s/g, '') : unknownPiece;
  }
  const set = characterSet(from);
  const target = characterSet(to ?? '');
  return input.replace(/[\s\S]/g, (char) => {
    const index = set.lastIndexOf(char);
    if (index < 0) return char;
    return flag === '-d' ? '' : target.charAt(Math.min(index, target.length - 1));
  });
}
