import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { calls, text, type ChatMessage } from '../support/model-server.ts';
import { Installation } from '../support/installation.ts';
import {
  finalAnswer,
  openConversation,
  runsOf,
  say,
  turnsOf,
  untilSignalled,
  type RunHistory,
} from '../support/conversation.ts';

/** A conversation grows without end; the history of its workflow does not, and the thread is kept. */

let one: Installation;

beforeAll(async () => {
  one = await Installation.create();
  await one.start('all');
});
afterAll(() => one.dispose());

/** Words that differ from turn to turn and fill it to about 7 KB together with their answer. */
const filler = (turn: number): string => `turn ${String(turn)}: ${'the quick brown fox jumps over it. '.repeat(95)}`;

/** What Temporal counts as an action of a conversation. */
const actions: ReadonlySet<string> = new Set([
  'WorkflowExecutionStarted',
  'WorkflowExecutionSignaled',
  'WorkflowExecutionUpdateAccepted',
  'ActivityTaskScheduled',
  'TimerStarted',
  'UpsertWorkflowSearchAttributes',
  'WorkflowPropertiesModified',
  'MarkerRecorded',
]);

const countActions = (runs: readonly RunHistory[]): number =>
  runs.flatMap((run) => run.eventTypes).filter((type) => actions.has(type)).length;

const bytesOf = (runs: readonly RunHistory[]): number => runs.reduce((sum, run) => sum + run.historyBytes, 0);

const texts = (messages: readonly ChatMessage[]): readonly string[] =>
  messages.map((message) => (typeof message.content === 'string' ? message.content : ''));

describe('300 turns with 2 MB of transcript', () => {
  const turns = 300;
  const toolTurns = 20;
  let conversationId: string;
  let runs: readonly RunHistory[];

  beforeAll(async () => {
    one.model.otherwise((request) => {
      const turn = Number(/^turn (\d+):/.exec(request.user)?.[1] ?? 0);
      const needsTool = request.step === 0 && turn % (turns / toolTurns) === 0;
      if (needsTool) return calls({ name: 'list_files', args: {}, id: `call_${String(turn)}` });
      return text(`Answer to ${filler(turn)}`);
    });
    conversationId = await openConversation(one);
    // The first one says what nobody repeats later.
    const secretOfTurnOne = `turn 1: my grandmother's parrot is called Zanzibar. ${filler(1)}`;
    expect(await finalAnswer(one, await say(one, conversationId, secretOfTurnOne))).toMatchObject({ turn: 1 });
    for (let turn = 2; turn <= turns; turn += 1) {
      const answer = await one.answer(await say(one, conversationId, filler(turn)));
      expect(answer).toMatchObject({ state: 'done', turn });
    }
    await untilSignalled(one);
    runs = await runsOf(one, conversationId);
  }, 110_000);

  it('continues as new by itself, with the settings as they come', () => {
    expect(runs.length).toBeGreaterThanOrEqual(2);
    expect(runs.at(-1)?.status).toBe('RUNNING');
    expect(runs.slice(0, -1).every((run) => run.status === 'CONTINUED_AS_NEW')).toBe(true);
    expect(Math.max(...runs.map((run) => run.eventTypes.length))).toBeLessThan(1_500);
  });

  it('has each turn once', () => {
    expect(turnsOf(one, conversationId)).toEqual(
      Array.from({ length: turns }, (_, index) => ({ turn: index + 1, state: 'done' })),
    );
    expect(one.model.requests).toHaveLength(turns + toolTurns);
  });

  it('keeps the history below 8 KB and the actions below 2 + n + k per turn', () => {
    expect(bytesOf(runs)).toBeGreaterThan(0);
    expect(bytesOf(runs) / turns).toBeLessThan(8_000);
    const modelCalls = turns + toolTurns;
    expect(countActions(runs)).toBeLessThanOrEqual(2 * turns + modelCalls + toolTurns);
  });

  it('shows the model the recent turns, whole and in order, and lets it find the old ones', async () => {
    const newest = texts(one.model.requests.at(-1)?.body.messages ?? []);
    const shown = newest.flatMap((words) => /^turn (\d+):/.exec(words)?.[1] ?? []).map(Number);
    expect(shown.length).toBeGreaterThanOrEqual(5);
    expect(shown).toEqual(shown.map((_, index) => turns - shown.length + 1 + index));
    expect(newest.join('\n')).not.toContain('Zanzibar');

    one.model.next(
      calls({ name: 'search_conversations', args: { query: "What is my grandmother's parrot called?" } }),
      text('Zanzibar.'),
    );
    const answer = await finalAnswer(one, await say(one, conversationId, 'Do you remember the parrot?'));
    expect(answer).toMatchObject({ state: 'done', turn: turns + 1, text: 'Zanzibar.' });
    expect(one.model.requests.at(-1)?.last).toContain('Zanzibar');
    expect(one.model.requests.at(-1)?.last).toContain(conversationId);
  });
});

it('a message sent again after its run was continued as new is still one turn', async () => {
  const small = await Installation.create({ env: { HERMES_CONVERSATION_CONTINUE_AS_NEW_AFTER_EVENTS: '50' } });
  try {
    await small.start('all');
    const conversationId = await openConversation(small);
    const first = await say(small, conversationId, 'message 1');
    const firstAnswer = await finalAnswer(small, first);
    for (let turn = 2; turn <= 12; turn += 1) {
      const answer = await finalAnswer(small, await say(small, conversationId, `message ${String(turn)}`));
      expect(answer).toMatchObject({ state: 'done', turn });
    }
    expect((await runsOf(small, conversationId)).length).toBeGreaterThanOrEqual(2);
    await say(small, conversationId, 'message 1', { inboundId: first });
    expect(await finalAnswer(small, first)).toEqual(firstAnswer);
    expect(small.model.requests).toHaveLength(12);
    // A burst that arrives around the change of runs loses nothing either.
    const ids: string[] = [];
    for (let index = 0; index < 20; index += 1) {
      ids.push(await say(small, conversationId, `burst ${String(index)}`, { busyMode: 'queue' }));
    }
    const answers = await Promise.all(ids.map((id) => finalAnswer(small, id)));
    expect(answers.map(({ turn }) => turn)).toEqual(ids.map((_, index) => 13 + index));
  } finally {
    await small.dispose();
  }
});
