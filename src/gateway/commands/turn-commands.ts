import { setTimeout } from 'node:timers/promises';
import type { DecisionScope } from '../../contracts/conversation.ts';
import { PortError } from '../../lib/port-error.ts';
import type { ApprovalRow, Store } from '../../store/ports.ts';
import type { ConversationClient } from '../conversation-client.ts';
import { createDecide } from '../decide.ts';
import type { CommandCall, CommandOutcome, Speaker } from '../inbound/speaker.ts';
import { speakerName } from '../inbound/turn-text.ts';
import { Refusal } from '../refusal.ts';
import { takeBackToAskAgain, turnToRetry, turnToTakeBack } from '../take-back.ts';
import { chosenOnce } from './chosen-once.ts';
import type { CommandDeps, CommandHandler } from './deps.ts';
import { firstWords, needed, oneOf, quote } from './words.ts';

const scopes: readonly DecisionScope[] = ['once', 'conversation', 'always'];
const scopeWords: Record<DecisionScope, string> = {
  once: '',
  conversation: ' for this conversation',
  always: ' for always',
};

/** How long `/stop` waits for a turn that is about to begin. */
const startLooks = 30;
const betweenLooksMs = 100;

/** Commands about the turn that runs or ran. */
export const turnCommands = {
  stop: async ({ store, client }, call) => {
    const { conversationId, what } = await chosenOnce(store, call, async () => {
      const { id } = await call.speaker.conversation();
      return { conversationId: id, what: String((await turnToStop(store, client, id)) ?? 0) };
    });
    const turn = Number(what);
    if (turn === 0) return 'Nothing runs.';
    const { interrupted } = await client.interrupt(conversationId, { turn, by: call.key });
    return interrupted ? 'Stopping.' : 'It has ended already.';
  },
  queue: (_deps, call) => saying(needed(call.args, '/queue TEXT'), 'queue'),
  steer: (_deps, call) => saying(needed(call.args, '/steer TEXT'), 'steer'),
  approve: async (deps, call) => {
    const scope = call.args === '' ? 'once' : oneOf(scopes, call.args);
    const asked = await askedFor(deps.store, call, (waiting) => {
      const approvable = waiting.find(({ kind }) => kind !== 'question');
      if (approvable === undefined && waiting.length > 0) {
        throw new Refusal('Api.Conflict', 'A question waits: write your answer.');
      }
      return approvable;
    });
    return decided(deps, call, asked, { decision: 'approve', scope, answer: null });
  },
  deny: async (deps, call) => {
    const asked = await askedFor(deps.store, call, ([oldest]) => oldest);
    return decided(deps, call, asked, { decision: 'deny', scope: 'once', answer: call.args === '' ? null : call.args });
  },
  undo: async ({ store }, call) => {
    const { conversationId, what } = await chosenOnce(store, call, async () => {
      const row = await call.speaker.conversation();
      return { conversationId: row.id, what: String(await turnToTakeBack(store, row, 'undo')) };
    });
    const text = await store.transcript.hideTurn(conversationId, Number(what));
    const said = text.trim() === '' ? '' : `\n\n${quote(firstWords(text, 300))}`;
    return `The last turn is taken back.${said}`;
  },
  retry: async ({ store }, call) => {
    const { conversationId, what } = await chosenOnce(store, call, async () => {
      const row = await call.speaker.conversation();
      return { conversationId: row.id, what: String((await turnToRetry(store, row)).turn) };
    });
    const text = await takeBackToAskAgain(store, conversationId, Number(what));
    return { text: '', message: { text: withoutOwnName(call.speaker, text) } };
  },
} satisfies Record<string, CommandHandler>;

/** In a group what somebody says is given their name, which their words from before have already. */
function withoutOwnName({ chat, user }: Speaker, text: string): string {
  const name = `${speakerName(user.name, user.userId)}: `;
  return chat.kind === 'group' && text.startsWith(name) ? text.slice(name.length) : text;
}

/** The turn that runs. A message that was accepted a moment ago is about to begin one, which is the one that is meant. */
async function turnToStop(store: Store, client: ConversationClient, id: string): Promise<number | null> {
  for (let look = 0; look < startLooks; look++) {
    const running = (await client.snapshot(id))?.turn ?? null;
    if (running !== null || (await store.inbox.pending(id)).length === 0) return running;
    await setTimeout(betweenLooksMs);
  }
  return null;
}

function saying(text: string, busyMode: 'queue' | 'steer'): Promise<CommandOutcome> {
  return Promise.resolve({ text: '', message: { text, busyMode } });
}

/** What the command decides; what waits is given oldest first. */
async function askedFor(
  store: Store,
  call: CommandCall,
  pick: (waiting: readonly ApprovalRow[]) => ApprovalRow | undefined,
): Promise<ApprovalRow> {
  const { what } = await chosenOnce(store, call, async () => {
    const { id } = await call.speaker.conversation();
    const waiting = await store.approvals.list({ state: 'waiting', conversationId: id, limit: 50 });
    const asked = pick([...waiting].sort((one, other) => one.askedAt.localeCompare(other.askedAt)));
    if (asked === undefined) throw new Refusal('Api.Conflict', 'Nothing waits for a decision.');
    return { conversationId: id, what: asked.id };
  });
  const asked = await store.approvals.get(what);
  if (asked === null) throw new PortError('Internal.Invariant', 'a question that was chosen is not in the store');
  return asked;
}

async function decided(
  deps: CommandDeps,
  call: CommandCall,
  asked: ApprovalRow,
  word: { decision: 'approve' | 'deny'; scope: DecisionScope; answer: string | null },
): Promise<string> {
  const { row } = await createDecide(deps)({
    approvalId: asked.id,
    ...word,
    by: call.key,
    isAdmin: call.speaker.isAdmin,
  });
  const title = firstWords(row.title, 200);
  if (row.decidedBy !== call.key) return `That was decided already (${row.state}): ${title}`;
  const how = word.decision === 'approve' ? `Approved${scopeWords[row.scope ?? 'once']}` : 'Denied';
  return `${how}: ${title}`;
}
