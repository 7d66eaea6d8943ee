import type { PlatformUser } from '../../store/platform-ports.ts';
import type { ConversationRow, Store } from '../../store/ports.ts';
import type { Accounts, OutboxWriter } from '../accounts.ts';
import { isStillLetIn } from '../inbound/admit.ts';
import { replyKeyOf } from '../inbound/names.ts';
import { Refusal } from '../refusal.ts';
import { chosenOnce } from './chosen-once.ts';
import { firstWords, quote, titleOf } from './words.ts';

export interface HandOffRequest {
  /** Unique for ever; a repeat changes nothing and answers the same. */
  readonly key: string;
  readonly conversation: ConversationRow;
  /** `telegram`, `telegram/work`. */
  readonly to: string;
  /** The account it is asked on; absent: the terminal or the API. */
  readonly from?: string;
}

/**
 * A talk goes on in its person's direct chat on another account: the next message there belongs to it, and what a running
 * turn says goes there. Idempotent by key. Rejects with a Refusal where there is no such account or chat.
 */
export type HandOff = (request: HandOffRequest) => Promise<{ readonly account: string }>;

export interface HandOffDeps {
  readonly store: Store;
  readonly outbox: OutboxWriter;
  readonly accounts: () => Accounts;
  /** `conversation.scope`. */
  readonly conversationScope: () => 'person' | 'platform';
  /** Takes secrets out of what is shown. */
  readonly redact: (text: string) => string;
}

export function createHandOff(deps: HandOffDeps): HandOff {
  const { store } = deps;
  return async ({ key, conversation, to, from }) => {
    const target = await targetOf(deps, conversation.personId, to);
    if (target.account === from) throw new Refusal('Api.Conflict', 'This talk is here already.');
    const { conversationId, what } = await chosenOnce(store, { key, name: 'handoff' }, async () => {
      return { conversationId: conversation.id, what: String(await openTurn(store, conversation.id)) };
    });
    const row = await store.conversations.get(conversationId);
    if (row === null) throw new Refusal('Api.NotFound', 'That conversation is gone.');
    const turn = Number(what);
    const address = { platform: target.account, chat: target.chat };
    await goOnThere(deps, row, target.account);
    if (turn > 0) await store.handoffs.put({ conversationId, turn, to: address });
    const text = await greeting(deps, row, turn > 0);
    const told = replyKeyOf(target.account, key, 'handoff');
    await deps.outbox.enqueue({ key: told, to: address, text, conversationId });
    return { account: target.account };
  };
}

/** The turn that runs, or the one that a waiting message is about to begin; 0: none. */
async function openTurn(store: Store, conversationId: string): Promise<number> {
  const [turn, pending, row] = await Promise.all([
    store.turns.last(conversationId),
    store.inbox.pending(conversationId),
    store.conversations.get(conversationId),
  ]);
  if (turn?.state === 'running') return turn.turn;
  return pending.length > 0 ? (row?.lastTurn ?? 0) + 1 : 0;
}

/** With a scope of its own each account remembers what it goes on with. */
async function goOnThere(
  { store, conversationScope }: HandOffDeps,
  row: ConversationRow,
  account: string,
): Promise<void> {
  if (conversationScope() === 'person') await store.conversations.setCurrent(row.personId, row.id);
  else await store.chatConversations.set(`${row.personId}@${account}`, row.id);
}

async function targetOf(
  { store, accounts }: HandOffDeps,
  personId: string,
  wanted: string,
): Promise<{ account: string; chat: string }> {
  const word = wanted.trim().toLowerCase();
  const enabled = accounts()
    .list()
    .map(({ id }) => id);
  const named = enabled.filter((id) => id === word || id.split('/')[0] === word);
  if (named.length === 0) {
    const hint = enabled.length === 0 ? 'No chat platform is set up.' : `There are: ${enabled.join(', ')}.`;
    throw new Refusal('Api.NotFound', `There is no account "${firstWords(wanted, 40)}" here.`, { hint });
  }
  const users = (await store.platformUsers.ofPerson(personId)).filter(hasChat).filter((user) => {
    // Where the configuration lets nobody in by name (any more), only pairings and links count.
    const conduct = accounts().get(user.account)?.conduct ?? { owner: [], allow: [], admins: [] };
    return isStillLetIn(conduct, user);
  });
  const reachable = users.filter(({ account }) => named.includes(account));
  const user = reachable.find(({ account }) => account === word) ?? reachable[0];
  if (user === undefined) {
    throw new Refusal('Api.Conflict', `You have no direct chat with the agent on ${word} yet.`, {
      hint: 'Write to it there first; /link joins that account to you.',
    });
  }
  const accountsMeant = new Set(reachable.map(({ account }) => account));
  if (user.account !== word && accountsMeant.size > 1) {
    throw new Refusal('Api.Conflict', `"${word}" could be ${[...accountsMeant].join(', ')}.`);
  }
  return { account: user.account, chat: user.directChat };
}

function hasChat(user: PlatformUser): user is PlatformUser & { readonly directChat: string } {
  return user.directChat !== null;
}

async function greeting({ store, redact }: HandOffDeps, row: ConversationRow, runs: boolean): Promise<string> {
  const [page, waiting] = await Promise.all([
    store.transcript.page(row.id, { limit: 30 }),
    store.approvals.list({ state: 'waiting', conversationId: row.id, limit: 10 }),
  ]);
  const last = page.findLast(({ role, text }) => role === 'assistant' && text.trim() !== '');
  // What nobody was asked in a chat yet, the watcher of handoffs asks there.
  const asked = await Promise.all(waiting.map(async ({ id }) => (await store.outbox.get(id)) !== null));
  const shownElsewhere = waiting.filter((_, index) => asked[index] === true);
  const asks = shownElsewhere.map(({ kind, title }) => {
    const how = kind === 'question' ? 'Write the answer.' : '/approve or /deny.';
    return `Waits for you: ${firstWords(redact(title), 200)} ${how}`;
  });
  return [
    `Going on here: **${titleOf(row)}**`,
    ...(last === undefined ? [] : [quote(firstWords(redact(last.text), 200))]),
    ...asks,
    ...(runs && waiting.length === 0 ? ['Still at work; the answer comes here.'] : []),
  ].join('\n\n');
}
