import { findCode } from './embedded-code.ts';
import { findWrite, normalise, shown } from './paths.ts';
import { gitCommands } from './rules-git.ts';
import { findingsOf } from './rules.ts';
import { assign, childScope, isKnown, networkMark, unknownPiece, type KnownFile, type Scope } from './scope.ts';
import type { Script } from './shell-syntax.ts';
import { ask, type Finding } from './verdict.ts';
import { unwrap } from './wrappers.ts';

/** One command about to run, its words expanded. */
export interface Invocation {
  readonly argv: readonly string[];
  readonly scope: Scope;
  /** What its standard input holds; null when nothing is connected. */
  readonly input: KnownFile | null;
  readonly conditional: boolean;
}

/** What an invocation needs from the one who walks the tree. */
export interface InvocationHost {
  report(finding: Finding | null): void;
  runSource(source: string, scope: Scope, input: KnownFile | null): KnownFile;
  /** Like `runSource`, for a text that may be no shell at all: what cannot be read says nothing. */
  runGuess(source: string, scope: Scope): void;
  runScript(script: Script, scope: Scope, input: KnownFile | null, conditional: boolean): KnownFile;
  runArgv(call: Invocation): KnownFile;
  remember(path: string, scope: Scope, content: KnownFile, append: boolean): void;
}

const shells = /^(?:ba|da|z|k|a|fi|mk|pdk|c|tc|r)?sh(?:-\d[\d.]*)?$|^hush$/;
const interpreters = /^(?:python[\d.]*|pypy3?|perl|ruby|node|nodejs|deno|bun|php|lua|osascript|tclsh)$/;
const nothing: KnownFile = { text: '', fromNetwork: false };

/** Judges one command and what it starts. @returns its output where running it says so, else null. */
export function runInvocation(call: Invocation, host: InvocationHost): KnownFile | null {
  const word = (call.argv[0] ?? '').replaceAll(networkMark, '');
  const name = commandName(word);
  if (name === null) {
    const key = call.argv[0]?.includes(networkMark) === true ? 'curl | sh' : 'dynamic command';
    host.report(
      ask(key, `runs a command whose name is only known when it runs (${shown(call.argv.join(' ')).slice(0, 80)})`),
    );
    return null;
  }
  const body = call.scope.functions.get(word);
  if (body !== undefined) {
    return host.runScript(body, childScope(call.scope, call.argv), call.input, call.conditional);
  }
  const args = call.argv.slice(1);
  const own = runBuiltin(name, args, call, host) ?? runShell(name, args, call, host);
  if (own !== null) return own;
  const plainArgs = args.map((arg) => arg.replaceAll(networkMark, ''));
  for (const finding of findingsOf({ name, args: plainArgs, scope: call.scope, input: call.input?.text ?? null })) {
    host.report(finding);
  }
  rememberDownload(name, plainArgs, call, host);
  if (name === 'git') for (const text of gitCommands(plainArgs)) host.runSource(text, childScope(call.scope), null);
  if (/^[gmn]?awk$/.test(name)) runCode(plainArgs.join('\n'), call, host);
  return (
    runWritten(word, call, host) ??
    runInterpreter(name, plainArgs, call, host) ??
    runWrapped(name, plainArgs, call, host)
  );
}

/** The name without its folder; null when it is only known at run time. */
function commandName(word: string): string | null {
  const base = word.slice(word.lastIndexOf('/') + 1);
  return base === '' || !isKnown(base) || (/[*?]|\[.+\]/.test(base) && base !== '[') ? null : base;
}

const inert = new Set([':', 'true', 'false', 'test', '[', '((', 'let']);
const declarations = new Set(['export', 'declare', 'typeset', 'local', 'readonly']);
const readers = new Set(['read', 'mapfile', 'readarray']);

function runBuiltin(name: string, args: readonly string[], call: Invocation, host: InvocationHost): KnownFile | null {
  if (inert.has(name)) return nothing;
  if (declarations.has(name)) {
    for (const arg of args) assignArgument(arg, call);
    return nothing;
  }
  if (readers.has(name)) {
    readVariables(args, call);
    return nothing;
  }
  switch (name) {
    case 'cd':
    case 'pushd':
      changeDirectory(args, call.scope);
      return nothing;
    case 'printf':
      if (args[0] === '-v') assign(call.scope, args[1] ?? '', [unknownPiece, args.slice(2).join('')], call.conditional);
      return null;
    case 'eval':
      return runText(args.join(' '), 'eval', call, host);
    case 'trap':
      return runText(args.find((arg) => !arg.startsWith('-')) ?? '', 'trap', call, host);
    case 'alias':
      for (const arg of args) host.runGuess(arg.slice(arg.indexOf('=') + 1), childScope(call.scope));
      return nothing;
    case 'source':
    case '.':
      return runFile(args[0] ?? '', args, call, host);
    default:
      return null;
  }
}

function changeDirectory(args: readonly string[], scope: Scope): void {
  const target = args.find((arg) => !/^-[LPe@]+$|^--$/.test(arg));
  scope.cwd = target === '-' ? unknownPiece : normalise(target ?? scope.home, scope.cwd);
}

function assignArgument(arg: string, call: Invocation): void {
  const match = /^(\w+)=([\s\S]*)$/.exec(arg);
  if (match !== null) assign(call.scope, match[1] ?? '', [match[2] ?? ''], call.conditional);
}

function readVariables(args: readonly string[], call: Invocation): void {
  const text = call.input?.text ?? unknownPiece;
  const lines = isKnown(text) ? text.split('\n').filter((line) => line !== '') : [unknownPiece];
  for (const name of args.filter((arg) => /^[A-Za-z_]\w*$/.test(arg)))
    assign(call.scope, name, lines, call.conditional);
}

/** A text given to a shell as its script. */
function runText(text: string, via: string, call: Invocation, host: InvocationHost, scope = call.scope): KnownFile {
  const plain = text.replaceAll(networkMark, '');
  const dynamic = !isKnown(firstWord(plain));
  if (text.includes(networkMark)) host.report(ask('curl | sh', 'runs a script straight from the network'));
  else if (dynamic) host.report(ask('dynamic command', `runs a text with ${via} that is only known when it runs`));
  else return host.runSource(plain, scope, call.input);
  host.runGuess(plain, scope);
  return { text: unknownPiece, fromNetwork: false };
}

function firstWord(text: string): string {
  return /^\s*(\S*)/.exec(text)?.[1] ?? '';
}

function runFile(path: string, argv: readonly string[], call: Invocation, host: InvocationHost): KnownFile {
  const file = call.scope.files.get(normalise(path, call.scope.cwd));
  if (path === '/dev/stdin' || path === '-') return runFeed(call.input, call, host, argv);
  return file === undefined ? { text: unknownPiece, fromNetwork: false } : runFeed(file, call, host, argv);
}

/** A script that comes through a pipe or from a file this line made. */
function runFeed(feed: KnownFile | null, call: Invocation, host: InvocationHost, argv: readonly string[]): KnownFile {
  if (feed === null) return nothing;
  const interpreter = /^#!\s*(\S+)(?:[ \t]+(\S+))?/.exec(feed.text);
  const program = commandName(interpreter?.[2] ?? interpreter?.[1] ?? 'sh');
  if (!feed.fromNetwork && program !== null && interpreters.test(program)) {
    runCode(feed.text, call, host);
    return { text: unknownPiece, fromNetwork: false };
  }
  if (feed.fromNetwork) host.report(ask('curl | sh', 'runs a script straight from the network'));
  else if (!isKnown(feed.text)) host.report(ask('… | sh', 'pipes a text nobody has seen into a shell'));
  else return host.runSource(feed.text, childScope(call.scope, argv), null);
  host.runGuess(feed.text.replaceAll(networkMark, ''), childScope(call.scope, argv));
  return { text: unknownPiece, fromNetwork: feed.fromNetwork };
}

/** `sh -c TEXT`, `sh FILE`, `… | sh`. */
function runShell(name: string, args: readonly string[], call: Invocation, host: InvocationHost): KnownFile | null {
  if (!shells.test(name)) return null;
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (/^-[a-zA-Z]*c/.test(arg) || arg === '--command') {
      const script = args.slice(index + 1).findIndex((word) => !/^[-+]\w/.test(word));
      const rest = script < 0 ? [] : args.slice(index + 1 + script);
      const scope = childScope(call.scope, rest.length > 1 ? rest.slice(1) : [name]);
      return runText(rest[0] ?? '', `${name} -c`, call, host, scope);
    }
    if (/^[-+][oO]$|^--(?:rcfile|init-file)$/.test(arg)) index += 1;
    else if (/^-[a-zA-Z]*s/.test(arg)) return runFeed(call.input, call, host, [name, ...args.slice(index + 1)]);
    else if (!/^[-+]./.test(arg)) return runFile(arg, args.slice(index), call, host);
  }
  const informs = args.some((arg) => arg === '--version' || arg === '--help');
  return informs ? nothing : runFeed(call.input, call, host, [name]);
}

/** `./x.sh` where this line wrote x.sh. */
function runWritten(word: string, call: Invocation, host: InvocationHost): KnownFile | null {
  if (!word.includes('/')) return null;
  const file = call.scope.files.get(normalise(word, call.scope.cwd));
  return file === undefined ? null : runFeed(file, call, host, call.argv);
}

function runInterpreter(
  name: string,
  args: readonly string[],
  call: Invocation,
  host: InvocationHost,
): KnownFile | null {
  if (!interpreters.test(name)) return null;
  const at = args.findIndex((arg) => /^-[a-zA-Z]*[ceEr]$|^--eval$|^--print$|^-p$/.test(arg));
  const feed = at < 0 && args.every((arg) => arg === '-' || /^-[a-zA-Z]/.test(arg)) ? call.input : null;
  if (feed?.fromNetwork === true) host.report(ask('curl | sh', `runs a ${name} program straight from the network`));
  const file = args.find((arg) => !arg.startsWith('-')) ?? '';
  const written = call.scope.files.get(normalise(file, call.scope.cwd));
  if (at < 0 && written?.fromNetwork === true) host.report(ask('curl | sh', `runs a ${name} program from the network`));
  const code = at < 0 ? ((feed ?? written)?.text ?? '') : args.slice(at + 1).join('\n');
  runCode(code, call, host);
  return null;
}

/** Shell commands inside a program's text. */
function runCode(code: string, call: Invocation, host: InvocationHost): void {
  const found = findCode(code, call.scope);
  for (const finding of found.findings) host.report(finding);
  for (const script of found.scripts) host.runGuess(script, childScope(call.scope));
}

const opensShell = /^(?:sudo|doas|su|ssh|chroot|unshare|nsenter)$/;

function runWrapped(name: string, args: readonly string[], call: Invocation, host: InvocationHost): KnownFile | null {
  const unwrapped = unwrap(name, args, call.input?.text ?? null);
  if (unwrapped === null) return name === 'at' || name === 'batch' ? runFeed(call.input, call, host, [name]) : null;
  for (const finding of unwrapped.findings) host.report(finding);
  // Without a command these start a shell, which reads its own from standard input.
  if (unwrapped.inner.length === 0 && opensShell.test(name)) return runFeed(call.input, call, host, [name]);
  let output: KnownFile | null = null;
  for (const inner of unwrapped.inner) {
    if (inner.kind === 'script') output = runText(inner.text, name, call, host, childScope(call.scope, null));
    else output = host.runArgv({ ...call, argv: inner.argv, input: name === 'xargs' ? null : call.input });
  }
  return output;
}

function rememberDownload(name: string, args: readonly string[], call: Invocation, host: InvocationHost): void {
  const content: KnownFile = { text: unknownPiece, fromNetwork: true };
  if (name === 'tee' && call.input !== null) {
    const input = call.input;
    for (const path of args.filter((arg) => !arg.startsWith('-'))) host.remember(path, call.scope, input, false);
  }
  if (name !== 'curl' && name !== 'wget') return;
  const letter = name === 'curl' ? 'o' : 'O';
  args.forEach((arg, index) => {
    const glued = new RegExp(`^-[a-zA-Z]*?${letter}(.*)$`).exec(arg);
    const long = /^--output(?:-document)?(?:=(.*))?$/.exec(arg);
    const path = glued?.[1] ?? long?.[1] ?? '';
    if (glued === null && long === null) return;
    const target = path === '' ? (args[index + 1] ?? '') : path;
    if (target === '-' || target === '') return;
    host.report(findWrite(target, call.scope));
    host.remember(target, call.scope, content, false);
  });
  if (name === 'wget' || args.some((arg) => /^-[a-zA-Z]*O/.test(arg))) {
    const url = args.find((arg) => /^(?:https?|ftp):/.test(arg));
    const base = url === undefined ? '' : url.slice(url.lastIndexOf('/') + 1);
    if (base !== '') host.remember(base, call.scope, content, false);
  }
}
