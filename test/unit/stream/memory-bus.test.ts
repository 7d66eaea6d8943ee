import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/contracts/stream.ts';
import { createMemoryBus } from '../../../src/stream/memory-bus.ts';

const at = { conversationId: 'c', turn: 1 };
const started = (turn = 1): StreamEvent => ({ ...at, turn, kind: 'turn-started', inboundIds: ['in'] });
const step = (number: number, attempt = 1): StreamEvent => ({
  ...at,
  kind: 'step-started',
  step: number,
  attempt,
  model: 'm',
});
const delta = (
  text: string,
  seq: number,
  change: { step?: number; attempt?: number; channel?: 'answer' | 'reasoning' } = {},
): StreamEvent => ({
  ...at,
  kind: 'delta',
  step: 1,
  attempt: 1,
  channel: 'answer',
  ...change,
  seq,
  text,
});
const tool = (callKey: string): StreamEvent => ({
  ...at,
  kind: 'tool-started',
  step: 1,
  callKey,
  name: 'x',
  summary: 'x',
});
const finished = (turn = 1): StreamEvent => ({ ...at, turn, kind: 'turn-finished', outcome: 'done', inboundIds: [] });

function backlogOf(events: readonly StreamEvent[], options: Parameters<typeof createMemoryBus>[0] = {}) {
  const bus = createMemoryBus(options);
  for (const event of events) bus.publish(event);
  return bus.backlog('c');
}

describe('listeners', () => {
  it('hear the events of their conversation, in order, until they end', () => {
    const bus = createMemoryBus();
    const heard: StreamEvent[] = [];
    const end = bus.subscribe('c', (event) => heard.push(event));
    bus.publish(started());
    bus.publish({ ...started(), conversationId: 'other' });
    bus.publish(delta('a', 0));
    end();
    end();
    bus.publish(delta('b', 1));
    expect(heard).toEqual([started(), delta('a', 0)]);
  });

  it('of everything hear every conversation, beside those of one, until they end', () => {
    const bus = createMemoryBus();
    const heard: string[] = [];
    const end = bus.subscribeAll((event) => heard.push(`all ${event.conversationId}`));
    bus.subscribe('c', () => heard.push('c'));
    bus.publish(started());
    bus.publish({ ...started(), conversationId: 'other' });
    end();
    bus.publish(started());
    expect(heard).toEqual(['c', 'all c', 'all other', 'c']);
  });

  it('that throw are told of once and never called again, and harm nobody', () => {
    const warnings: string[] = [];
    const bus = createMemoryBus({ log: { warn: (_fields, message) => warnings.push(message) } });
    let calls = 0;
    const heard: StreamEvent[] = [];
    bus.subscribe('c', () => {
      calls += 1;
      throw new Error('broken reader');
    });
    bus.subscribe('c', (event) => heard.push(event));
    bus.publish(delta('a', 0));
    bus.publish(delta('b', 1));
    expect(calls).toBe(1);
    expect(heard).toHaveLength(2);
    expect(warnings).toHaveLength(1);
  });

  it('may end themselves and others while they are called', () => {
    const bus = createMemoryBus();
    const heard: string[] = [];
    const endFirst = bus.subscribe('c', () => {
      heard.push('first');
      endFirst();
    });
    bus.subscribe('c', () => heard.push('second'));
    bus.publish(started());
    bus.publish(started());
    expect(heard).toEqual(['first', 'second', 'second']);
  });
});

describe('the backlog', () => {
  it('joins the deltas of a step into one per channel', () => {
    const events = [
      started(),
      step(1),
      delta('I ', 0, { channel: 'reasoning' }),
      delta('think', 1, { channel: 'reasoning' }),
      delta('Hel', 2),
      delta('lo', 3),
      tool('k'),
      step(2),
      delta('again', 0, { step: 2 }),
    ];
    expect(backlogOf(events)).toEqual([
      started(),
      step(1),
      delta('I think', 1, { channel: 'reasoning' }),
      delta('Hello', 3),
      tool('k'),
      step(2),
      delta('again', 0, { step: 2 }),
    ]);
  });

  it('forgets the text of a lower attempt, also when the higher one says so by a delta alone', () => {
    expect(backlogOf([step(1), delta('old', 0), step(1, 2), delta('new', 0, { attempt: 2 })])).toEqual([
      step(1, 2),
      delta('new', 0, { attempt: 2 }),
    ]);
    expect(backlogOf([step(1), delta('old', 0), delta('new', 0, { attempt: 2 })])).toEqual([
      delta('new', 0, { attempt: 2 }),
    ]);
  });

  it('leaves out stragglers of a lower attempt and of an older turn', () => {
    expect(backlogOf([step(1, 2), delta('late', 5)])).toEqual([step(1, 2)]);
    expect(backlogOf([started(2), delta('late', 5)])).toEqual([started(2)]);
  });

  it('is empty once the turn is over, and starts anew with the next one', () => {
    expect(backlogOf([started(), delta('a', 0), finished()])).toEqual([]);
    expect(backlogOf([started(), delta('a', 0), finished(), delta('late', 1)])).toEqual([]);
    expect(backlogOf([started(), delta('a', 0), started(2)])).toEqual([started(2)]);
    expect(backlogOf([started(7), finished(7), started(1), step(1)])).toEqual([started(1), step(1)]);
  });

  it('tells a call once that is started again', () => {
    expect(backlogOf([started(), tool('k'), tool('k')])).toEqual([started(), tool('k')]);
  });

  it('keeps the end of a text that outgrows its limit', () => {
    const [only] = backlogOf([delta('a'.repeat(90), 0), delta(`${'b'.repeat(20)}END`, 1)], { maxTextChars: 100 });
    const text = only?.kind === 'delta' ? only.text : '';
    expect(text.length).toBeLessThanOrEqual(100);
    expect(text.endsWith('END')).toBe(true);
  });

  it('forgets the oldest events beyond its limit', () => {
    const notices = Array.from({ length: 20 }, (_, n): StreamEvent => ({ ...at, kind: 'notice', text: String(n) }));
    expect(backlogOf(notices, { maxEvents: 5 })).toEqual(notices.slice(-5));
  });

  it('forgets conversations that have been silent for long', () => {
    let now = 0;
    const bus = createMemoryBus({ idleMs: 600_000, now: () => now });
    bus.publish(started());
    now = 700_000;
    bus.publish({ ...started(), conversationId: 'other' });
    expect(bus.backlog('c')).toEqual([]);
    expect(bus.backlog('other')).toHaveLength(1);
  });
});
