/** A tool call read out of plain words. */
export interface DemoCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

interface Rule {
  readonly pattern: RegExp;
  /** Undefined: the words only look like this rule. */
  readonly call: (parts: Readonly<Record<string, string | undefined>>) => DemoCall | undefined;
  /** What to type, for the help text; with its meaning. */
  readonly example: readonly [string, string];
}

const call = (name: string, args: Readonly<Record<string, unknown>>): DemoCall => ({ name, args });
/** Leaves fields out that were not said. */
const said = (fields: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => (entry[1] ?? '') !== ''));

/** First rule that fits. Patterns see the whole message, without white space at its ends. */
const rules: readonly Rule[] = [
  {
    pattern: /^start\s+(?<command>.+?)\s+in\s+(?:the\s+)?background\.?$/is,
    call: ({ command = '' }) => call('run_command', { command: bare(command), background: true }),
    example: ['start sleep 60 in the background', 'runs it while we talk on'],
  },
  {
    pattern: /^(?:run|execute|\$)\s+(?<command>.+)$/is,
    call: ({ command = '' }) => call('run_command', { command: bare(command) }),
    example: ['run ls -la', 'runs a shell command'],
  },
  {
    pattern: /^(?:list\s+|show\s+)?(?:background\s+)?(?:processes|runs)$/i,
    call: () => call('process', { action: 'list' }),
    example: ['processes', 'lists what runs in the background'],
  },
  {
    pattern: /^(?<action>kill|wait\s+for|output\s+of)\s+(?<id>\S+\/\S+)$/i,
    call: ({ action = '', id = '' }) => {
      const actions: Record<string, string> = { k: 'kill', w: 'wait', o: 'read' };
      return call('process', { action: actions[action.charAt(0).toLowerCase()], id: bare(id) });
    },
    example: ['kill ID', 'ends one of them; also: wait for ID, output of ID'],
  },
  {
    pattern: /^remember\s+(?:that\s+)?(?<text>.+)$/is,
    call: ({ text = '' }) => call('memory', { action: 'add', text }),
    example: ['remember that I like short answers', 'keeps a fact for all conversations'],
  },
  {
    pattern: /^forget\s+(?:fact\s+)?(?<id>\S+)$/i,
    call: ({ id = '' }) => call('memory', { action: 'remove', id }),
    example: ['forget ID', 'drops it again'],
  },
  {
    pattern: /^load\s+(?:the\s+)?conversation\s+(?<id>\S+)$/i,
    call: ({ id = '' }) => call('load_conversation', { id }),
    example: ['load conversation ID', 'reads it'],
  },
  {
    pattern: /^search\s+(?:(?:all\s+|our\s+|my\s+)?conversations\s+)?(?:for\s+)?(?<query>.+)$/is,
    call: ({ query = '' }) => call('search_conversations', { query: bare(query) }),
    example: ['search holiday plans', 'searches all conversations'],
  },
  {
    pattern: /^find\s+files?\s+(?:named\s+|called\s+)?(?<pattern>.+?)(?:\s+in\s+(?<path>\S+))?$/is,
    call: ({ pattern = '', path }) =>
      call('search_files', { pattern: bare(pattern), target: 'name', ...said({ path }) }),
    example: ['find files *.md in docs', 'searches files by name'],
  },
  {
    pattern: /^(?:find|grep)\s+(?<pattern>.+?)(?:\s+in\s+(?<path>\S+))?$/is,
    call: ({ pattern = '', path }) => call('search_files', { pattern: bare(pattern), ...said({ path }) }),
    example: ['find TODO in src', 'searches inside files'],
  },
  {
    pattern: /^fetch\s+(?<url>\S+)$/i,
    call: ({ url = '' }) => call('web_fetch', { url: /^https?:/i.test(url) ? url : `https://${url}` }),
    example: ['fetch https://example.org', 'reads a web page'],
  },
  {
    pattern: /^read\s+(?:the\s+)?(?:file\s+)?(?<path>\S+)$/i,
    call: ({ path = '' }) => call('read_file', { path: bare(path) }),
    example: ['read notes.txt', 'shows a file'],
  },
  {
    pattern: /^write\s+(?:the\s+)?(?:file\s+)?(?<path>[^\s:]+)\s*:[ \t]?\n?(?<content>.*)$/is,
    call: ({ path = '', content = '' }) =>
      call('write_file', { path: bare(path), content: content.endsWith('\n') ? content : `${content}\n` }),
    example: ['write notes.txt: buy milk', 'writes a file'],
  },
  {
    pattern: /^edit\s+(?:the\s+)?(?:file\s+)?(?<path>[^\s:]+)\s*:\s*(?<old>.+?)\s*(?:=>|->|→)\s*(?<new>.*)$/is,
    call: ({ path = '', old = '', new: next = '' }) =>
      call('edit_file', { path: bare(path), oldText: old, newText: next }),
    example: ['edit notes.txt: milk => bread', 'replaces text in a file'],
  },
  {
    pattern: /^list(?:\s+(?:the\s+)?files)?(?:\s+(?:in\s+)?(?<path>\S+))?$/i,
    call: ({ path }) => call('list_files', said({ path: path === undefined ? undefined : bare(path) })),
    example: ['list src', 'lists a folder'],
  },
  {
    pattern: /^(?:show\s+)?(?:the\s+)?to-?dos?(?:\s+list)?$/i,
    call: () => call('todo', {}),
    example: ['todo', 'shows the list'],
  },
  {
    pattern: /^to-?do\s*:\s*(?<items>.+)$/is,
    call: ({ items = '' }) => call('todo', { items: todoItems(items) }),
    example: ['todo: [x] call mum, buy milk', 'keeps a list of tasks'],
  },
  {
    pattern: /^ask\s+me\s*:?\s+(?<question>.+?)(?:\s*\((?<choices>[^()]*[/|,][^()]*)\))?$/is,
    call: ({ question = '', choices }) =>
      call('ask_user', { question, ...(choices === undefined ? {} : { choices: split(choices, /[/|,]/) }) }),
    example: ['ask me tea or coffee? (tea/coffee)', 'asks and waits for the answer'],
  },
];

/**
 * The calls a message asks for: the whole message as one, or each of its lines. Empty when it asks for none. Pure.
 */
export function readCommands(message: string): readonly DemoCall[] {
  const text = message.trim().replace(/^please\s+/i, '');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length > 1) {
    const each = lines.map((line) => readOne(line.trim()));
    // Lines after a write are its content, unless every line is a command by itself.
    if (each.every((one) => one !== undefined) && each[0]?.name !== 'write_file') return each;
  }
  const whole = readOne(text);
  return whole === undefined ? [] : [whole];
}

export const demoExamples: readonly (readonly [string, string])[] = rules.map((rule) => rule.example);

function readOne(text: string): DemoCall | undefined {
  for (const rule of rules) {
    const match = rule.pattern.exec(text);
    const found = match ? rule.call(match.groups ?? {}) : undefined;
    if (found) return found;
  }
  return undefined;
}

/** Without the quotes or backticks people put around commands and names. */
function bare(text: string): string {
  const trimmed = text.trim();
  const inner = /^(["'`])(.+)\1$/s.exec(trimmed);
  return inner?.[2]?.includes(inner[1] ?? '') === false ? inner[2] : trimmed;
}

function todoItems(text: string): readonly { text: string; state: string }[] {
  const states: Record<string, string> = { x: 'done', '>': 'doing', ' ': 'open' };
  return split(text, /[,;\n]/).map((item) => {
    const marked = /^[-*]?\s*\[(?<mark>[x> ])\]\s*(?<what>.*)$/i.exec(item)?.groups;
    return { text: marked?.['what'] ?? item, state: states[marked?.['mark']?.toLowerCase() ?? ' '] ?? 'open' };
  });
}

function split(text: string, separator: RegExp): readonly string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
