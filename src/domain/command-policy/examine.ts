import { expandToTexts, expandWords, type ExpansionHost } from './expansion.ts';
import { runInvocation, type Invocation, type InvocationHost } from './invocation.ts';
import { knownOutput } from './known-output.ts';
import { findRead, findWrite, normalise } from './paths.ts';
import { parseShell } from './shell-parser.ts';
import { assign, childScope, networkMark, unknownPiece, type KnownFile, type Scope } from './scope.ts';
import type { Command, FunctionDefinition, Pipeline, Redirect, Script, SimpleCommand, Word } from './shell-syntax.ts';
import { ask, block, type Finding } from './verdict.ts';

/** Limits of one judgement; beyond them a person looks at it. */
const maxCommands = 3_000;
const maxDepth = 20;

/** Walks a script in the order a shell runs it, following what its variables, files and pipes may hold. */
export class Examiner implements ExpansionHost, InvocationHost {
  readonly findings: Finding[] = [];
  private commandsLeft = maxCommands;
  private depth = 0;
  private processCount = 0;

  report(finding: Finding | null): void {
    if (finding !== null) this.findings.push(finding);
  }

  /** @returns what it prints, as far as known. */
  runSource(source: string, scope: Scope, input: KnownFile | null): KnownFile {
    const { script, complete } = parseShell(source);
    if (!complete) this.report(ask('unreadable command', 'cannot be read as a shell command to its end'));
    return this.runScript(script, scope, input, false);
  }

  runScript(script: Script, scope: Scope, input: KnownFile | null, conditional: boolean): KnownFile {
    if (this.depth >= maxDepth) {
      this.report(ask('unreadable command', 'is nested too deeply to be read'));
      return { text: unknownPiece, fromNetwork: false };
    }
    this.depth += 1;
    let text = '';
    let fromNetwork = false;
    for (const pipeline of script) {
      const output = this.runPipeline(pipeline, scope, input, conditional || pipeline.conditional);
      text += output.text;
      fromNetwork ||= output.fromNetwork;
    }
    this.depth -= 1;
    return { text: text.slice(0, 200_000), fromNetwork };
  }

  runGuess(source: string, scope: Scope): void {
    const before = this.findings.length;
    this.runSource(source, scope, null);
    const guessed = this.findings.splice(before);
    this.findings.push(
      ...guessed.filter((one) => one.kind === 'block' || !/^(?:unreadable|dynamic) /.test(one.ruleKey)),
    );
  }

  outputOf(script: Script, scope: Scope): string {
    const { text, fromNetwork } = this.runScript(script, childScope(scope), null, false);
    return fromNetwork ? `${networkMark}${text}` : text;
  }

  processPath(script: Script, scope: Scope): string {
    this.processCount += 1;
    const path = `/dev/fd/${String(62 + this.processCount)}`;
    scope.files.set(path, this.runScript(script, childScope(scope), null, false));
    return path;
  }

  private runPipeline(pipeline: Pipeline, scope: Scope, input: KnownFile | null, conditional: boolean): KnownFile {
    const piped = pipeline.commands.length > 1;
    let feed = input;
    for (const command of pipeline.commands) {
      const place = piped || pipeline.background ? childScope(scope) : scope;
      const output = this.runCommand(command, place, feed, conditional);
      feed = { text: output.text, fromNetwork: output.fromNetwork || (piped && feed?.fromNetwork === true) };
    }
    return feed ?? { text: '', fromNetwork: false };
  }

  private runCommand(command: Command, scope: Scope, input: KnownFile | null, conditional: boolean): KnownFile {
    this.commandsLeft -= 1;
    if (this.commandsLeft < 0) {
      if (this.commandsLeft === -1) this.report(ask('unreadable command', 'is too long to be read'));
      return { text: unknownPiece, fromNetwork: false };
    }
    switch (command.kind) {
      case 'simple':
        return this.runSimple(command, scope, input, conditional);
      case 'function':
        this.defineFunction(command, scope);
        return { text: '', fromNetwork: false };
      case 'loop':
        assign(scope, command.variable, this.loopValues(command.items, scope), false);
        return this.runBody([command.body], command.redirects, scope, input);
      case 'group':
        return this.runBody(command.scripts, command.redirects, scope, input, conditional || command.conditional);
    }
  }

  private loopValues(items: readonly Word[], scope: Scope): readonly string[] {
    return expandWords(items, scope, this).flat();
  }

  private runBody(
    scripts: readonly Script[],
    redirects: readonly Redirect[],
    scope: Scope,
    input: KnownFile | null,
    conditional = true,
  ): KnownFile {
    const feed = this.redirectedInput(redirects, scope) ?? input;
    const outputs = scripts.map((script) => this.runScript(script, scope, feed, conditional));
    const output = {
      text: outputs.map((one) => one.text).join(''),
      fromNetwork: outputs.some((one) => one.fromNetwork),
    };
    this.writeRedirects(redirects, scope, output);
    return output;
  }

  private defineFunction(command: FunctionDefinition, scope: Scope): void {
    if (callsItselfTwice(command)) this.report(block('starts itself without end (a fork bomb)'));
    scope.functions.set(command.name, command.body);
  }

  private runSimple(command: SimpleCommand, scope: Scope, input: KnownFile | null, conditional: boolean): KnownFile {
    const ways = expandWords(command.words, scope, this);
    for (const { name, value, append } of command.assignments) {
      const texts = expandToTexts(value, scope, this);
      const old = append ? (scope.variables.get(name) ?? ['']) : [''];
      const joined = old.flatMap((before) => texts.map((text) => before + text));
      assign(scope, name, joined, conditional || command.words.length > 0);
      if (commandVariables.test(name)) for (const text of joined) this.runSource(text, childScope(scope), null);
    }
    const feed = this.redirectedInput(command.redirects, scope) ?? input;
    let output: KnownFile = { text: '', fromNetwork: false };
    for (const argv of ways) {
      if (argv.length > 0) output = this.runArgv({ argv, scope, input: feed, conditional });
    }
    this.writeRedirects(command.redirects, scope, output);
    return output;
  }

  /** @returns what it prints, as far as known. */
  runArgv(call: Invocation): KnownFile {
    this.commandsLeft -= 1;
    if (this.commandsLeft < 0) return { text: unknownPiece, fromNetwork: false };
    const plain: Invocation = { ...call, argv: call.argv.map((arg) => arg.replaceAll(networkMark, '')) };
    for (const arg of plain.argv.slice(1)) this.checkRead(plain.argv[0] ?? '', arg, plain.scope);
    const ran = runInvocation(call, this);
    if (ran !== null) return ran;
    const known = knownOutput(plain.argv, plain.input?.text ?? null, plain.scope);
    return { text: known ?? unknownPiece, fromNetwork: fetches(plain.argv) };
  }

  private checkRead(command: string, arg: string, scope: Scope): void {
    if (
      /(?:^|\/)(?:ssh|scp|sftp|rsync|ssh-\w+|git|ls|stat|chmod|chown|test|\[|mkdir|rm|touch|find|echo)$/.test(command)
    )
      return;
    const value = arg.replace(/^-{1,2}[\w-]+=?|^@|^.*=@/, '');
    if (/^[/~.]/.test(value)) this.report(findRead(value, scope));
    else if (arg.includes('/') && !arg.startsWith('-')) this.report(findRead(arg, scope));
  }

  private redirectedInput(redirects: readonly Redirect[], scope: Scope): KnownFile | null {
    let input: KnownFile | null = null;
    for (const { operator, target, body } of redirects) {
      if (operator === '<<' || operator === '<<-') {
        const text = body === null ? '' : (expandToTexts(body, scope, this)[0] ?? '');
        input = { text, fromNetwork: text.includes(networkMark) };
      } else if (operator === '<<<') {
        const text = expandToTexts(target, scope, this)[0] ?? '';
        input = { text: `${text.replaceAll(networkMark, '')}\n`, fromNetwork: text.includes(networkMark) };
      } else if (operator === '<') {
        const path = expandToTexts(target, scope, this)[0] ?? '';
        this.report(findRead(path, scope));
        input = scope.files.get(normalise(path, scope.cwd)) ?? { text: unknownPiece, fromNetwork: false };
      }
    }
    return input;
  }

  private writeRedirects(redirects: readonly Redirect[], scope: Scope, output: KnownFile): void {
    for (const { operator, target } of redirects) {
      if (!/^(?:>|>>|>\||<>|&>|&>>|>&)$/.test(operator)) continue;
      for (const path of expandToTexts(target, scope, this)) {
        if (operator === '>&' && /^[\d-]+$/.test(path)) continue;
        this.report(findWrite(path, scope));
        this.remember(path, scope, output, operator.endsWith('>>'));
      }
    }
  }

  /** Keeps what this line writes to a file, in case it runs the file later. */
  remember(path: string, scope: Scope, content: KnownFile, append: boolean): void {
    const key = normalise(path, scope.cwd);
    const old = append ? scope.files.get(key) : undefined;
    scope.files.set(key, {
      text: (old?.text ?? '') + content.text,
      fromNetwork: content.fromNetwork || old?.fromNetwork === true,
    });
  }
}

/** Variables whose value some program runs as a command. */
const commandVariables =
  /^(?:GIT_SSH_COMMAND|GIT_PAGER|GIT_EDITOR|GIT_EXTERNAL_DIFF|PAGER|EDITOR|VISUAL|PROMPT_COMMAND)$/;

const fetchers = /(?:^|\/)(?:curl|wget|fetch|aria2c|nc|ncat|netcat|socat|http|https|xh|lynx|w3m|ftp|scp|telnet)$/;

function fetches(argv: readonly string[]): boolean {
  return fetchers.test(argv[0] ?? '');
}

/** `f() { f | f & }`: calls itself beside itself or in the background. */
function callsItselfTwice(command: FunctionDefinition): boolean {
  const calls = (script: Script): boolean =>
    script.some((pipeline) => {
      const own = pipeline.commands.filter((one) => isCallOf(one, command.name));
      if (own.length > 1 || (own.length === 1 && pipeline.background)) return true;
      return pipeline.commands.some(
        (one) => (one.kind === 'group' && one.scripts.some(calls)) || (one.kind === 'loop' && calls(one.body)),
      );
    });
  return calls(command.body);
}

function isCallOf(command: Command, name: string): boolean {
  if (command.kind !== 'simple') return false;
  const [first] = command.words;
  return first?.every((part) => part.kind === 'text') === true && first.map((part) => part.text).join('') === name;
}
