/** Where commands are typed. */
export type Surface = 'terminal' | 'platform';

/**
 * Commands a person gives inside a conversation, on every surface that has one. The table says what there is; how a
 * command is carried out is the surface's own.
 */
export interface SlashCommand {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Usage of what follows the name, `[optional]`, CAPITALS for what is filled in. Empty: takes nothing. */
  readonly args: string;
  readonly help: string;
  /** `terminal`: makes no sense where there is no screen of one's own; `platform`: only where there is a chat platform. */
  readonly where: 'everywhere' | Surface;
  /**
   * Changes the agent itself, not only the conversation, and is therefore for its owner and admins: always, or only with
   * arguments. The terminal and the API are the owner's.
   */
  readonly admins: 'always' | 'to-change' | 'never';
  /** What the first argument can be completed with. */
  readonly completes: 'conversation' | 'model' | 'busy-mode' | 'command' | 'scope' | null;
}

const table = [
  ['help', ['?'], '[COMMAND]', 'what can be typed', 'everywhere', 'command'],
  ['new', ['reset'], '[TITLE]', 'begin a new conversation', 'everywhere', null],
  ['stop', ['interrupt'], '', 'stop the running turn', 'everywhere', null],
  ['queue', [], 'TEXT', 'a message that waits for its own turn', 'everywhere', null],
  ['steer', [], 'TEXT', 'a message that the running turn sees at its next step', 'everywhere', null],
  ['approve', ['yes'], '[once|conversation|always]', 'let the waiting call happen', 'everywhere', 'scope'],
  ['deny', ['no'], '[REASON]', 'refuse it; the reason is told to the agent', 'everywhere', null],
  ['model', [], '[PROVIDER:NAME|default]', 'show or change the model of this conversation', 'everywhere', 'model'],
  ['status', [], '', 'what runs, and where', 'everywhere', null],
  ['usage', ['cost'], '[DAYS]', 'tokens and money', 'everywhere', null],
  ['history', [], '[COUNT]', 'the last messages', 'everywhere', null],
  ['undo', [], '', 'take the last turn back', 'everywhere', null],
  ['retry', [], '', 'ask the last turn again', 'everywhere', null],
  ['title', [], '[TITLE]', 'show or change the title', 'everywhere', null],
  ['conversations', ['list'], '[COUNT]', 'the newest conversations', 'everywhere', null],
  ['resume', ['switch'], 'NAME', 'go on with another conversation', 'everywhere', 'conversation'],
  ['busy', [], '[steer|queue|interrupt|default]', 'what a message does while a turn runs', 'everywhere', 'busy-mode'],
  ['handoff', [], 'PLATFORM', 'go on with this talk there', 'everywhere', null],
  ['voice', [], 'on|off', 'spoken answers in this conversation', 'platform', null],
  ['link', [], '[CODE]', 'join your accounts: a code for another platform, or the code from there', 'platform', null],
  ['unlink', [], '', 'take this account out of what /link joined', 'platform', null],
  ['sethome', [], '', 'reminders and notices come to this chat', 'platform', null],
  ['prompt', [], '', 'how large the fixed part of a prompt is', 'terminal', null],
  ['quit', ['exit'], '', 'leave; the work goes on', 'terminal', null],
] as const satisfies readonly (readonly [
  string,
  readonly string[],
  string,
  string,
  SlashCommand['where'],
  SlashCommand['completes'],
])[];

export type SlashCommandName = (typeof table)[number][0];

const forAdmins: Partial<Readonly<Record<SlashCommandName, SlashCommand['admins']>>> = {
  model: 'to-change',
  sethome: 'always',
};

export const slashCommands: readonly (SlashCommand & { readonly name: SlashCommandName })[] = table.map(
  ([name, aliases, args, help, where, completes]) => ({
    name,
    aliases,
    args,
    help,
    where,
    completes,
    admins: forAdmins[name] ?? 'never',
  }),
);

/** The commands that make sense there. */
export function commandsOn(surface: Surface): typeof slashCommands {
  return slashCommands.filter(({ where }) => where === 'everywhere' || where === surface);
}

export type SlashMatch =
  | { readonly kind: 'command'; readonly command: (typeof slashCommands)[number]; readonly args: string }
  | { readonly kind: 'ambiguous'; readonly word: string; readonly candidates: readonly string[] }
  | { readonly kind: 'unknown'; readonly word: string };

/**
 * Reads a line as a command. Names and aliases match whatever their case; a prefix is enough where only one name begins
 * so on this surface. A path (`/etc/hosts`) and a doubled slash are text. A command of another surface matches by its whole
 * name only.
 *
 * @returns null when the line is a message and no command.
 */
export function matchSlashCommand(line: string, surface: Surface = 'terminal'): SlashMatch | null {
  const found = /^\/([a-z?][\w-]*|\?)(?:\s+([\s\S]*))?$/i.exec(line.trim());
  if (found === null) return null;
  const word = (found[1] ?? '').toLowerCase();
  const args = (found[2] ?? '').trim();
  const exact = slashCommands.find((one) => one.name === word || one.aliases.includes(word));
  if (exact !== undefined) return { kind: 'command', command: exact, args };
  const begins = commandsOn(surface).filter((one) => [one.name, ...one.aliases].some((name) => name.startsWith(word)));
  const [only, another] = begins;
  if (only === undefined) return { kind: 'unknown', word };
  if (another === undefined) return { kind: 'command', command: only, args };
  return { kind: 'ambiguous', word, candidates: begins.map((one) => one.name) };
}

/** The text of a message that begins with a slash of its own: `//x` says `/x`. */
export function unescapeSlash(line: string): string {
  return line.startsWith('//') ? line.slice(1) : line;
}
