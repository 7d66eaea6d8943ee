import type { Script } from './shell-syntax.ts';
import type { PolicySurroundings } from './verdict.ts';

/** Stands in a text for a piece nobody can know before it runs. */
export const unknownPiece = '\uFFFC';

/** In front of a substitution's text that came from the network; removed before anything else looks at it. */
export const networkMark = '\uFFFB';

export function isKnown(text: string): boolean {
  return !text.includes(unknownPiece);
}

/** Content of a file as far as this line itself wrote it. */
export interface KnownFile {
  /** With `unknownPiece` for what is not known. */
  readonly text: string;
  readonly fromNetwork: boolean;
}

/** What the shell would know at a point of the script. */
export interface Scope {
  /** Every text a variable may have here. */
  readonly variables: Map<string, readonly string[]>;
  readonly functions: Map<string, Script>;
  readonly files: Map<string, KnownFile>;
  /** `$0`, `$1` …; null where they cannot be known. */
  readonly positional: readonly string[] | null;
  readonly home: string;
  readonly hermesHome: string;
  /** Where the script starts; `.` when unknown. */
  readonly startCwd: string;
  /** Absolute, or relative to the unknown directory the script starts in. */
  cwd: string;
}

export function openScope(surroundings: PolicySurroundings): Scope {
  const home = surroundings.home ?? '~';
  return {
    variables: new Map(),
    functions: new Map(),
    files: new Map(),
    positional: ['bash'],
    home,
    hermesHome: surroundings.hermesHome ?? `${home}/.hermes`,
    startCwd: surroundings.cwd ?? '.',
    cwd: surroundings.cwd ?? '.',
  };
}

/** A scope of its own, as a subshell has; what it changes stays in it. */
export function childScope(scope: Scope, positional?: readonly string[] | null): Scope {
  return {
    ...scope,
    variables: new Map(scope.variables),
    functions: new Map(scope.functions),
    positional: positional === undefined ? scope.positional : positional,
  };
}

const maxValues = 16;

/** `add`: the old values stay possible, because the assignment may not run. */
export function assign(scope: Scope, name: string, values: readonly string[], add: boolean): void {
  const old = add ? (scope.variables.get(name) ?? []) : [];
  scope.variables.set(name, [...new Set([...old, ...values])].slice(0, maxValues));
}

/** Every text `$name` may have; `unknownPiece` where it comes from outside. */
export function lookUp(scope: Scope, name: string): readonly string[] {
  const assigned = scope.variables.get(name);
  if (assigned !== undefined) return assigned;
  if (/^\d+$/.test(name)) return [scope.positional === null ? unknownPiece : (scope.positional[Number(name)] ?? '')];
  switch (name) {
    case '@':
    case '*':
      return [scope.positional === null ? unknownPiece : scope.positional.slice(1).join(' ')];
    case 'HOME':
      return [scope.home];
    case 'HERMES_HOME':
      return [scope.hermesHome];
    case 'PWD':
      return [scope.cwd];
    case 'TMPDIR':
      return ['/tmp'];
    case 'IFS':
      return [' '];
    case 'PATH':
      return ['/usr/local/bin:/usr/bin:/bin'];
    case 'SHELL':
    case 'BASH':
      return ['/bin/bash'];
    // Job and process of this very shell: always its own.
    case '!':
      return ['%!'];
    case '$':
      return ['%$'];
    default:
      return [unknownPiece];
  }
}
