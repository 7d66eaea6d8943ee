import type { Scope } from './scope.ts';

/** What a rule sees of one command. */
export interface Call {
  /** Base name of the command. */
  readonly name: string;
  readonly args: readonly string[];
  readonly scope: Scope;
  /** Standard input as far as known; null when nothing is connected. */
  readonly input: string | null;
}

function beforeDashes(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--');
  return end < 0 ? args : args.slice(0, end);
}

/** Whether one of the letters is given as a short option, alone or in a bundle. */
export function hasShort(args: readonly string[], letters: string): boolean {
  return beforeDashes(args).some(
    (arg) => /^-[^-]/.test(arg) && Array.from(letters).some((letter) => arg.includes(letter, 1)),
  );
}

/** Whether a long option is given, also shortened (`--recurs`) or with a value. */
export function hasLong(args: readonly string[], ...names: readonly string[]): boolean {
  return beforeDashes(args).some((arg) => {
    const given = /^--([\w-]+)/.exec(arg)?.[1];
    return given !== undefined && names.some((name) => name === given || (given.length >= 3 && name.startsWith(given)));
  });
}

/** Arguments that are no options; everything after `--`. */
export function operands(args: readonly string[]): readonly string[] {
  const end = args.indexOf('--');
  const before = end < 0 ? args : args.slice(0, end);
  return [...before.filter((arg) => !arg.startsWith('-') || arg === '-'), ...(end < 0 ? [] : args.slice(end + 1))];
}

/** The words that name a subcommand, global options and their values skipped. */
export function subcommand(args: readonly string[], valueOptions: readonly string[] = []): readonly string[] {
  const words: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (words.length === 0 && valueOptions.includes(arg)) index += 1;
    else if (words.length > 0 || !arg.startsWith('-')) words.push(arg);
  }
  return words;
}
