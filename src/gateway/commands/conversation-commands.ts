import { busyModes } from '../../domain/busy-mode.ts';
import { PortError } from '../../lib/port-error.ts';
import { ago } from '../../lib/short-forms.ts';
import type { ConversationRow, Store } from '../../store/ports.ts';
import { configureConversation } from '../configure.ts';
import { Refusal } from '../refusal.ts';
import { conversationIdFor } from '../submit.ts';
import type { CommandDeps, CommandHandler } from './deps.ts';
import { countOf, firstWords, needed, oneOf, titleOf } from './words.ts';

const longestTitle = 200;
/** How many of the newest conversations are looked through for a title that is not quite as it was typed. */
const lookedThrough = 200;

/** Commands about conversations. */
export const conversationCommands = {
  new: async ({ store }, { key, args, speaker }) => {
    const title = args.slice(0, longestTitle);
    const row = await store.conversations.create({
      id: conversationIdFor(key),
      personId: speaker.personId,
      platform: speaker.account,
      ...(title === '' ? {} : { title }),
    });
    await speaker.goOnWith(row.id);
    return title === '' ? 'A new conversation.' : `A new conversation: **${title}**`;
  },
  resume: async ({ store }, { args, speaker }) => {
    const row = await findByWords(store, speaker.personId, needed(args, '/resume NAME'));
    await speaker.goOnWith(row.id);
    return `Going on with **${titleOf(row)}** (${ago(row.updatedAt)}).`;
  },
  conversations: async ({ store, now }, { args, speaker }) => {
    const [rows, here, running] = await Promise.all([
      store.conversations.list(speaker.personId, { limit: countOf(args, 10, 50) }),
      speaker.conversation(),
      store.turns.running(),
    ]);
    const busy = new Set(running.map(({ conversationId }) => conversationId));
    const lines = rows.map((row) => {
      const marks = [row.id === here.id ? ', this one' : '', busy.has(row.id) ? ', running' : ''].join('');
      return `- **${titleOf(row)}** \`${row.name ?? row.id}\` ${ago(row.updatedAt, now())}${marks}`;
    });
    return `${lines.join('\n')}\n\n\`/resume NAME\` goes on with one; the beginning of its title is enough.`;
  },
  title: async (deps, { args, speaker }) => {
    const row = await speaker.conversation();
    if (args === '') return row.title === '' ? 'It has no title yet.' : `Title: **${row.title}**`;
    const { title } = await configureConversation(deps, row.id, { title: args.slice(0, longestTitle) });
    return `Title: **${title}**`;
  },
  busy: async (deps, { args, speaker }) => {
    const row = await speaker.conversation();
    if (args === '')
      return `A message while a turn runs: ${row.busyMode ?? `${deps.defaultBusyMode()} (as configured)`}`;
    const word = oneOf([...busyModes, 'default'], args);
    const { busyMode } = await configureConversation(deps, row.id, { busyMode: word === 'default' ? null : word });
    return `A message while a turn runs: ${busyMode ?? `${deps.defaultBusyMode()} (as configured)`}`;
  },
  model: async (deps, { args, speaker }) => {
    const row = await speaker.conversation();
    if (args === '') return modelText(deps, row, speaker.isAdmin);
    const { model } = await configureConversation(deps, row.id, { model: args === 'default' ? null : modelName(args) });
    return `From the next step on: ${model === null ? 'the configured model' : `\`${model}\``}`;
  },
  history: async ({ store, redact }, { args, speaker }) => {
    const { id } = await speaker.conversation();
    const page = await store.transcript.page(id, { limit: countOf(args, 6, 30) });
    const lines = page
      .filter(({ role, text }) => role !== 'tool' && text.trim() !== '')
      .map(({ role, text }) => `**${role === 'user' ? 'You' : 'Agent'}** ${firstWords(redact(text), 300)}`);
    return lines.length === 0 ? 'Nothing has been said yet.' : lines.join('\n\n');
  },
} satisfies Record<string, CommandHandler>;

/** By id, name or title; else the one newest conversation whose title begins so, else holds it. */
async function findByWords(store: Store, personId: string, words: string): Promise<ConversationRow> {
  const exact = await store.conversations.find(personId, words);
  if (exact !== null) return exact;
  const rows = await store.conversations.list(personId, { limit: lookedThrough });
  const wanted = words.toLowerCase();
  const begins = rows.filter(({ title }) => title.toLowerCase().startsWith(wanted));
  const fitting = begins.length > 0 ? begins : rows.filter(({ title }) => title.toLowerCase().includes(wanted));
  const [only, another] = fitting;
  if (only === undefined) {
    throw new Refusal('Api.NotFound', `There is no conversation "${firstWords(words, 80)}".`, {
      hint: '/conversations lists them.',
    });
  }
  if (another === undefined) return only;
  const names = fitting.slice(0, 5).map((row) => `**${titleOf(row)}** \`${row.name ?? row.id}\``);
  throw new Refusal('Api.Conflict', `"${firstWords(words, 80)}" could be ${names.join(', ')}.`);
}

async function modelText(deps: CommandDeps, row: ConversationRow, mayChange: boolean): Promise<string> {
  try {
    const { current, models } = await deps.listModels();
    const here = row.model === null ? `\`${current}\` (as configured)` : `\`${row.model}\``;
    const others = mayChange ? models.slice(0, 20).map(({ id }) => `- \`${id}\``) : [];
    return [`Model: ${here}`, ...(others.length === 0 ? [] : ['', ...others])].join('\n');
  } catch (error) {
    if (!PortError.is(error) || !error.code.startsWith('Model.')) throw error;
    return `Model: ${row.model === null ? 'as configured' : `\`${row.model}\``}. The others cannot be listed now: ${error.message}`;
  }
}

function modelName(given: string): string {
  if (/^[^\s:]+:\S+$/.test(given) && given.length <= 200) return given;
  throw new Refusal('Api.Invalid', `"${firstWords(given, 80)}" is no model: write PROVIDER:NAME, or default.`);
}
