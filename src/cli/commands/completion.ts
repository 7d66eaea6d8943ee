import { Argument, Command } from 'commander';
import type { CommandEntry } from '../command-table.ts';
import { printText } from './with-client.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/** What a shell offers after `hermes`: made from the real commands, so it cannot fall behind. */
interface Words {
  readonly name: string;
  readonly summary: string;
  readonly subcommands: readonly string[];
  readonly options: readonly string[];
}

/**
 * `hermes completion SHELL`: prints a script to be sourced.
 *
 * @param table gives all commands; handed in, since the table also names this one.
 */
export function command(table: Readonly<Record<string, CommandEntry>>): Command {
  return new Command('completion')
    .description('print a completion script')
    .addArgument(new Argument('<shell>').choices(shells))
    .addHelpText(
      'after',
      `
bash:  hermes completion bash > ~/.local/share/bash-completion/completions/hermes
zsh:   hermes completion zsh > "\${fpath[1]}/_hermes"
fish:  hermes completion fish > ~/.config/fish/completions/hermes.fish`,
    )
    .action(async (shell: Shell) => {
      const words = await allWords(table);
      await printText({ bash: bashScript, zsh: zshScript, fish: fishScript }[shell](words));
    });
}

const topOptions = ['--prompt', '--conversation', '--model', '--json', '--no-wait', '--help', '--version'];

async function allWords(table: Readonly<Record<string, CommandEntry>>): Promise<Words[]> {
  return Promise.all(
    Object.entries(table).map(async ([name, entry]) => {
      const loaded = (await entry.load()).command();
      const choices = loaded.registeredArguments.flatMap((argument) => argument.argChoices ?? []);
      const options = [loaded, ...loaded.commands].flatMap((one) => one.options.map((option) => option.long ?? ''));
      return {
        name,
        summary: entry.summary,
        subcommands: [...loaded.commands.map((one) => one.name()), ...choices],
        options: [...new Set([...options.filter((option) => option !== ''), '--help'])],
      };
    }),
  );
}

function bashScript(words: readonly Words[]): string {
  const cases = words.map((one) => `    ${one.name}) words="${[...one.subcommands, ...one.options].join(' ')}" ;;`);
  return `# bash completion for hermes
_hermes() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words="${[...words.map((one) => one.name), ...topOptions].join(' ')}" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${[...words.map((one) => one.name), ...topOptions].join(' ')}"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _hermes hermes
`;
}

function zshScript(words: readonly Words[]): string {
  const commands = words.map((one) => `    '${one.name}:${quoted(one.summary)}'`);
  const cases = words.map((one) => `    ${one.name}) compadd -- ${[...one.subcommands, ...one.options].join(' ')} ;;`);
  return `#compdef hermes
_hermes() {
  local -a commands
  commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    compadd -- ${topOptions.join(' ')}
    return
  fi
  case "\${words[2]}" in
${cases.join('\n')}
  esac
}
_hermes "$@"
`;
}

function fishScript(words: readonly Words[]): string {
  const names = words.map((one) => one.name).join(' ');
  const lines = words.flatMap((one) => [
    `complete -c hermes -f -n "not __fish_seen_subcommand_from ${names}" -a ${one.name} -d '${quoted(one.summary)}'`,
    ...one.subcommands.map((sub) => `complete -c hermes -f -n "__fish_seen_subcommand_from ${one.name}" -a ${sub}`),
    ...one.options.map(
      (option) => `complete -c hermes -n "__fish_seen_subcommand_from ${one.name}" -l ${option.slice(2)}`,
    ),
  ]);
  const top = topOptions.map(
    (option) => `complete -c hermes -n "not __fish_seen_subcommand_from ${names}" -l ${option.slice(2)}`,
  );
  return `# fish completion for hermes\n${[...lines, ...top].join('\n')}\n`;
}

function quoted(text: string): string {
  return text.replaceAll("'", '’').replaceAll(':', ' -');
}
