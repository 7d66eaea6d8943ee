import { ask, type Finding } from './verdict.ts';
import { unknownPiece } from './scope.ts';

/** What a command runs on behalf of its caller. */
type Inner =
  { readonly kind: 'argv'; readonly argv: readonly string[] } | { readonly kind: 'script'; readonly text: string };

export interface Unwrapped {
  readonly inner: readonly Inner[];
  readonly findings: readonly Finding[];
}

interface WrapperSpec {
  /** Letters of short options that take a value. */
  readonly values?: string;
  /** Long options whose value is a word of its own. */
  readonly longValues?: readonly string[];
  /** Operands before the command, e.g. the duration of `timeout`. */
  readonly operands?: number;
  /** Operands that look like `NAME=value` come first (env, sudo). */
  readonly assignments?: boolean;
  /** The rest is joined and given to a shell. */
  readonly joined?: boolean;
  /** Short option whose value is a script. */
  readonly script?: string;
}

const wrappers: Readonly<Record<string, WrapperSpec>> = {
  env: { values: 'uC', longValues: ['--unset', '--chdir'], assignments: true, script: 'S' },
  sudo: { values: 'ughpCrtTUDR', longValues: ['--user', '--group', '--prompt', '--chdir'], assignments: true },
  doas: { values: 'uC' },
  pkexec: { longValues: ['--user'] },
  run0: { values: 'u', longValues: ['--user'] },
  nohup: {},
  setsid: {},
  builtin: {},
  exec: { values: 'a' },
  time: { values: 'fo' },
  timeout: { values: 'sk', longValues: ['--signal', '--kill-after'], operands: 1 },
  gtimeout: { values: 'sk', operands: 1 },
  nice: { values: 'n', longValues: ['--adjustment'] },
  ionice: { values: 'cn' },
  stdbuf: { values: 'ioe' },
  unbuffer: {},
  taskset: { operands: 1 },
  chrt: { operands: 1 },
  chroot: { operands: 1 },
  unshare: {},
  nsenter: { values: 't' },
  strace: { values: 'oepsu' },
  ltrace: { values: 'oepsu' },
  npx: { values: 'p', longValues: ['--package'], script: 'c' },
  bunx: {},
  'systemd-run': { values: 'pu', longValues: ['--unit', '--property'] },
  caffeinate: { values: 't' },
  busybox: {},
  toybox: {},
  flock: { values: 'wE', operands: 1, script: 'c' },
  watch: { values: 'n', longValues: ['--interval'], joined: true },
  ssh: { values: 'bcDEeFIiJLlmOopQRSWw', operands: 1, joined: true },
  su: { values: 'sg', operands: 1, script: 'c' },
  script: { script: 'c' },
  parallel: { values: 'jIa', joined: true },
};

/** @returns what the command runs, or null when it runs nothing of its caller's. */
export function unwrap(name: string, args: readonly string[], input: string | null): Unwrapped | null {
  if (name === 'command') return unwrapCommand(args);
  if (name === 'xargs') return unwrapXargs(args, input);
  if (name === 'find' || name === 'fd' || name === 'fdfind') return unwrapFind(name, args);
  if (name === 'docker' || name === 'podman' || name === 'kubectl') return unwrapContainer(args);
  const spec = wrappers[name];
  if (spec === undefined || !Object.hasOwn(wrappers, name)) return null;
  const { rest, script } = skipOptions(args, spec);
  return { inner: innerOf(rest, script, spec), findings: raising(name, args, rest) };
}

function innerOf(rest: readonly string[], script: string | null, spec: WrapperSpec): Inner[] {
  const inner: Inner[] = [];
  if (script !== null)
    inner.push({ kind: 'script', text: [script, ...(spec.assignments === true ? rest : [])].join(' ') });
  if (rest.length > 0 && script === null) {
    inner.push(spec.joined === true ? { kind: 'script', text: rest.join(' ') } : { kind: 'argv', argv: rest });
  }
  return inner;
}

/** Commands that raise privileges are asked about themselves, whatever they run. */
function raising(name: string, args: readonly string[], rest: readonly string[]): Finding[] {
  if (name === 'su') return [ask('su', 'becomes another user')];
  if (!['sudo', 'doas', 'pkexec', 'run0'].includes(name)) return [];
  if (args.every((arg) => /^-(?:[vkKlVn]|-validate|-list|-version)$/.test(arg)) && args.length > 0) return [];
  const command = rest.find((word) => !word.startsWith('-'));
  const base = command?.slice(command.lastIndexOf('/') + 1).replaceAll(unknownPiece, '…') ?? 'shell';
  return [ask(`${name} ${base}`, `runs ${base} with the rights of the administrator`)];
}

function skipOptions(args: readonly string[], spec: WrapperSpec): { rest: readonly string[]; script: string | null } {
  let index = 0;
  let operands = spec.operands ?? 0;
  let script: string | null = null;
  for (; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (arg === '--') {
      index += 1 + operands;
      break;
    }
    if (arg.startsWith('-') && arg.length > 1) {
      const option = arg.startsWith('--') ? longOption(arg, spec) : shortOption(arg, spec);
      if (option === null) continue;
      const value = option.value ?? args[++index] ?? '';
      if (option.script) script = value;
    } else if (spec.assignments === true && /^\w+=/.test(arg)) continue;
    else if (operands > 0) operands -= 1;
    else break;
  }
  return { rest: args.slice(index), script };
}

interface OptionWithValue {
  readonly script: boolean;
  /** Null when it is the next word. */
  readonly value: string | null;
}

/** Null for an option that takes no word of its own. */
function longOption(arg: string, spec: WrapperSpec): OptionWithValue | null {
  const [long, value] = splitLong(arg);
  const script = /^--(?:command|split-string)$/.test(long) && spec.script !== undefined;
  if (!script && (value !== undefined || spec.longValues?.includes(long) !== true)) return null;
  return { script, value: value ?? null };
}

function splitLong(arg: string): [string, string | undefined] {
  const equals = arg.indexOf('=');
  return equals < 0 ? [arg, undefined] : [arg.slice(0, equals), arg.slice(equals + 1)];
}

/** The first letter of a bundle that takes a value, with what is glued to it. */
function shortOption(arg: string, spec: WrapperSpec): OptionWithValue | null {
  for (let index = 1; index < arg.length; index += 1) {
    const letter = arg.charAt(index);
    if (letter !== spec.script && spec.values?.includes(letter) !== true) continue;
    const value = arg.slice(index + 1);
    return { script: letter === spec.script, value: value === '' ? null : value };
  }
  return null;
}

function unwrapCommand(args: readonly string[]): Unwrapped {
  if (/^-[vV]+$/.test(args[0] ?? '')) return { inner: [], findings: [] };
  const rest = args.filter((arg, index) => !(index === 0 && /^-p$|^--$/.test(arg)));
  return { inner: rest.length > 0 ? [{ kind: 'argv', argv: rest }] : [], findings: [] };
}

function unwrapXargs(args: readonly string[], input: string | null): Unwrapped {
  const { rest } = skipOptions(args, {
    values: 'IJnPLdasEe',
    longValues: ['--max-args', '--max-procs', '--delimiter', '--replace'],
  });
  const option = args.findIndex((arg) => /^-[IJ]/.test(arg));
  // With -I every line is one item, else every word.
  const separator = option < 0 ? /[\s\0]+/ : /[\n\0]+/;
  const items = input === null ? [unknownPiece] : input.split(separator).filter((item) => item !== '');
  const marker = option < 0 ? null : (args[option] ?? '').slice(2) || (args[option + 1] ?? '{}');
  if (rest.length === 0) return { inner: [], findings: [] };
  const argv =
    marker === null ? [...rest, ...items] : rest.map((word) => word.replaceAll(marker, items[0] ?? unknownPiece));
  const more =
    marker === null ? [] : items.slice(1, 8).map((item) => rest.map((word) => word.replaceAll(marker, item)));
  return { inner: [argv, ...more].map((words) => ({ kind: 'argv', argv: words })), findings: [] };
}

/** `find … -exec rm {} +`: what is found lies below the starting points. */
function unwrapFind(name: string, args: readonly string[]): Unwrapped {
  const firstTest = args.findIndex((arg, index) => /^[-(!]/.test(arg) && !(index < 3 && /^-[LHPO]/.test(arg)));
  const starts = args.slice(0, firstTest < 0 ? args.length : firstTest).filter((arg) => !arg.startsWith('-'));
  const places = name === 'find' && starts.length > 0 ? starts : ['.'];
  const inner: Inner[] = [];
  args.forEach((arg, index) => {
    if (!/^-(?:exec|execdir|ok|okdir|x|X|-exec|-exec-batch)$/.test(arg)) return;
    const tail = args.slice(index + 1);
    const end = tail.findIndex((word) => word === ';' || word === '+');
    const command = end < 0 ? tail : tail.slice(0, end);
    const filtered = args.some((word) =>
      /^-(?:name|iname|path|ipath|regex|iregex|mtime|ctime|size|newer|empty)$/.test(word),
    );
    const found = (place: string): string => (filtered || name !== 'find' ? `${place}/found-file` : place);
    for (const place of places) {
      inner.push({ kind: 'argv', argv: command.map((word) => word.replaceAll('{}', found(place))) });
    }
  });
  return { inner, findings: [] };
}

/** Only `exec` runs a command where the caller's files may be; `run` starts a box of its own. */
function unwrapContainer(args: readonly string[]): Unwrapped | null {
  const exec = args.indexOf('exec');
  if (exec < 0) return null;
  const { rest } = skipOptions(args.slice(exec + 1), {
    values: 'uwenc',
    longValues: ['--user', '--env', '--workdir'],
    operands: 1,
  });
  const argv = rest[0] === '--' ? rest.slice(1) : rest;
  return { inner: argv.length > 0 ? [{ kind: 'argv', argv }] : [], findings: [] };
}
