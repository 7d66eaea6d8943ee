import { describe, expect, it } from 'vitest';
import type { BusyMode } from '../../../src/domain/busy-mode.ts';
import type { ConversationInput, InboundEnvelope } from '../../../src/contracts/conversation.ts';
import { migrateCarriedState } from '../../../src/workflows/conversation/carried-state.ts';
import { ConversationState } from '../../../src/workflows/conversation/conversation-state.ts';
import { renderDetails } from '../../../src/workflows/conversation/details.ts';

const input: ConversationInput = {
  schemaVersion: 1,
  conversationId: 'main',
  settings: {
    busyMode: 'steer',
    idleCompleteMs: 1000,
    heartbeatTimeoutMs: 2000,
    searchAttributes: true,
    continueAsNewAfterEvents: 1000,
  },
};

const newState = (): ConversationState => new ConversationState(input, migrateCarriedState(input));
const message = (inboundId: string, busyMode?: BusyMode): InboundEnvelope => ({
  inboundId,
  receivedAt: '2026-11-22T10:00:00.000Z',
  platform: 'cli',
  preview: inboundId,
  ...(busyMode === undefined ? {} : { busyMode }),
});
const now = '2026-11-22T10:00:01.000Z';
const ids = (list: readonly InboundEnvelope[]): string[] => list.map((one) => one.inboundId);

describe('a conversation at rest', () => {
  it('has no work until a message comes', () => {
    const state = newState();
    expect(state.hasWork).toBe(false);
    state.receive(message('a'));
    expect(state.hasWork).toBe(true);
  });

  it('takes the same message once', () => {
    const state = newState();
    state.receive(message('a'));
    state.receive(message('a'));
    expect(ids(state.carry().queue)).toEqual(['a']);
  });

  it('remembers messages across continue-as-new', () => {
    const state = newState();
    state.receive(message('a'));
    const turn = state.beginTurn(now);
    state.drainForStep(turn);
    state.endTurn(turn, true);
    const next = new ConversationState(input, migrateCarriedState({ ...input, carried: state.carry() }));
    next.receive(message('a'));
    expect(next.hasWork).toBe(false);
    expect(next.carry().nextTurn).toBe(2);
  });

  it('still ends after continue-as-new once it was told to', () => {
    const state = newState();
    state.closing = true;
    expect(new ConversationState(input, migrateCarriedState({ ...input, carried: state.carry() })).closing).toBe(true);
  });

  it('puts steering messages that wait into one turn, in order', () => {
    const state = newState();
    for (const id of ['a', 'b', 'c']) state.receive(message(id));
    const turn = state.beginTurn(now);
    turn.step = 1;
    expect(ids(state.drainForStep(turn))).toEqual(['a', 'b', 'c']);
  });

  it('gives each queued message its own turn', () => {
    const state = newState();
    for (const id of ['a', 'b']) state.receive(message(id, 'queue'));
    const first = state.beginTurn(now);
    first.step = 1;
    expect(ids(state.drainForStep(first))).toEqual(['a']);
    state.endTurn(first, true);
    const second = state.beginTurn(now);
    second.step = 1;
    expect(second.turn).toBe(first.turn + 1);
    expect(ids(state.drainForStep(second))).toEqual(['b']);
  });
});

describe('a message that arrives while a turn runs', () => {
  it('is seen by the next step when it steers', () => {
    const state = newState();
    state.receive(message('a'));
    const turn = state.beginTurn(now);
    turn.step = 1;
    state.drainForStep(turn);
    turn.undelivered = [];
    expect(state.receive(message('b')).interrupt).toBe(false);
    turn.step = 2;
    expect(ids(state.drainForStep(turn))).toEqual(['b']);
    expect(state.hasWork).toBe(false);
  });

  it('stays for its own turn when it is queued', () => {
    const state = newState();
    state.receive(message('a'));
    const turn = state.beginTurn(now);
    turn.step = 1;
    state.drainForStep(turn);
    turn.undelivered = [];
    state.receive(message('b', 'queue'));
    turn.step = 2;
    expect(ids(state.drainForStep(turn))).toEqual([]);
    state.endTurn(turn, true);
    expect(ids(state.beginTurn(now).undelivered)).toEqual(['b']);
  });

  it('asks for the turn to stop when it interrupts', () => {
    const state = newState();
    state.receive(message('a'));
    state.beginTurn(now);
    expect(state.receive(message('b', 'interrupt')).interrupt).toBe(true);
  });

  it('refuses what waits for a decision, so that the person is heard', () => {
    const state = newState();
    state.receive(message('a'));
    const turn = state.beginTurn(now);
    state.ask(turn, { approvalId: 'ask:main/1/1/0', title: 'rm -rf build?', kind: 'approval' });
    state.receive(message('b'));
    expect(turn.decisions['ask:main/1/1/0']?.decision).toBe('deny');
  });

  it('leaves what waits alone when it is queued', () => {
    const state = newState();
    state.receive(message('a'));
    const turn = state.beginTurn(now);
    state.ask(turn, { approvalId: 'ask:main/1/1/0', title: 'rm -rf build?', kind: 'approval' });
    state.receive(message('b', 'queue'));
    expect(turn.decisions).toEqual({});
  });
});

describe('a decision', () => {
  it('counts once', () => {
    const state = newState();
    state.receive(message('a'));
    state.beginTurn(now);
    const decision = { approvalId: 'ask:main/1/1/0', decision: 'approve', by: 'cli' } as const;
    expect(state.decide(decision)).toBe(true);
    expect(state.decide({ ...decision, decision: 'deny' })).toBe(false);
  });

  it('for another turn is not accepted', () => {
    const state = newState();
    state.receive(message('a'));
    state.beginTurn(now);
    expect(state.decide({ approvalId: 'ask:main/7/1/0', decision: 'approve', by: 'cli' })).toBe(false);
  });

  it('with no turn running is not accepted', () => {
    expect(newState().decide({ approvalId: 'ask:main/1/1/0', decision: 'approve', by: 'cli' })).toBe(false);
  });
});

describe('carried state', () => {
  it('survives JSON', () => {
    const state = newState();
    state.receive(message('a'));
    const carried = state.carry();
    expect(JSON.parse(JSON.stringify(carried))).toEqual(carried);
  });

  it('of an older version gets the fields it lacks', () => {
    const carried = { nextTurn: 4 } as unknown as NonNullable<ConversationInput['carried']>;
    expect(migrateCarriedState({ ...input, carried })).toMatchObject({ nextTurn: 4, queue: [], seenInboundIds: [] });
  });

  it('forgets the oldest seen messages beyond its limit', () => {
    const state = newState();
    for (let index = 0; index < 500; index += 1) state.receive(message(`m${String(index)}`));
    const { seenInboundIds } = state.carry();
    expect(seenInboundIds.at(-1)).toBe('m499');
    expect(seenInboundIds).not.toContain('m0');
  });
});

it('the details panel shows what waits and what is queued', () => {
  const state = newState();
  state.receive(message('a'));
  const turn = state.beginTurn(now);
  state.drainForStep(turn);
  state.ask(turn, { approvalId: 'ask:main/1/1/0', title: 'rm -rf build?', kind: 'approval' });
  state.receive(message('later', 'queue'));
  const details = renderDetails('Tidy up', state.snapshot());
  expect(details).toContain('### Tidy up');
  expect(details).toContain('rm -rf build?');
  expect(details).toContain('later');
});
