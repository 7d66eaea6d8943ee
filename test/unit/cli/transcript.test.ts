import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../../src/contracts/api.ts';
import type { StreamEvent } from '../../../src/contracts/stream.ts';
import type { Item } from '../../../src/cli/chat/item.ts';
import { StepText } from '../../../src/cli/chat/step-text.ts';
import { Transcript, type Need } from '../../../src/cli/chat/transcript.ts';
import { FakeAgent, type Script } from '../../support/fake-agent.ts';

function follow(): { transcript: Transcript; items: Item[]; needs: Need[]; answer: () => string } {
  const items: Item[] = [];
  const needs: Need[] = [];
  const transcript = new Transcript({
    print: (item) => items.push(item),
    need: (need) => needs.push(need),
    now: () => 0,
  });
  const answer = (): string => items.map((item) => (item.kind === 'answer' ? item.text : '')).join('');
  return { transcript, items, needs, answer };
}

const script: Script = async (turn) => {
  for (const piece of ['First para', 'graph.\n\nSec', 'ond\n\n', 'Third.']) turn.say(piece);
  const one = turn.toolStarted('read_file', 'read_file: a');
  const two = turn.toolStarted('read_file', 'read_file: b');
  turn.toolFinished(two);
  turn.toolFinished(one);
  turn.say('The ');
  turn.say('end.\n');
  await Promise.resolve();
};
const whole = 'First paragraph.\n\nSecond\n\nThird.The end.\n';

/** Plays the script and records, at every event, what a reader who comes then would be given. */
async function record(): Promise<{
  events: StreamEvent[];
  views: { snapshot: Snapshot; backlog: StreamEvent[] }[];
  agent: FakeAgent;
}> {
  const agent = new FakeAgent(script);
  const events: StreamEvent[] = [];
  const views = [{ snapshot: agent.snapshot('c1'), backlog: agent.backlog('c1') }];
  agent.listeners.add((event) => {
    events.push(event);
    views.push({ snapshot: structuredClone(agent.snapshot('c1')), backlog: agent.backlog('c1') });
  });
  agent.accept('m-000001', 'c1', 'go');
  await new Promise((done) => setTimeout(done, 5));
  return { events, views, agent };
}

describe('Transcript', () => {
  it('prints everything once, wherever the connection breaks and however often', async () => {
    const { events, views, agent } = await record();
    const last = { snapshot: agent.snapshot('c1'), backlog: agent.backlog('c1') };
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: events.length, maxLength: events.length }),
        fc.nat(events.length),
        (heard, from) => {
          const { transcript, items, answer } = follow();
          transcript.sent('m-000001', 'go');
          const attach = (view: (typeof views)[number] | undefined): void => {
            if (view === undefined) throw new Error('no view');
            transcript.snapshot(view.snapshot);
            transcript.backlog(view.backlog);
          };
          attach(views[from]);
          let connected = true;
          events.forEach((event, index) => {
            if (index < from) return;
            if (heard[index] === false) connected = false;
            else if (connected) transcript.live(event);
            else {
              connected = true;
              attach(views[index + 1]);
            }
          });
          attach(last);
          expect(answer()).toBe(whole);
          const tools = items.flatMap((item) => (item.kind === 'tool' ? [item.name] : []));
          expect(tools).toEqual(['read_file', 'read_file']);
          expect(items.filter((item) => item.kind === 'user')).toEqual([]);
          expect(transcript.turn).toBeNull();
        },
      ),
      { numRuns: 300 },
    );
  });

  it('asks for a new connection when a piece is missing', () => {
    const { transcript, needs, answer } = follow();
    const agent = new FakeAgent(script);
    transcript.snapshot(agent.snapshot('c1'));
    const at = { conversationId: 'c1', turn: 1, step: 1, attempt: 1, channel: 'answer' as const };
    transcript.live({ kind: 'step-started', ...at, model: 'm' });
    transcript.live({ kind: 'delta', ...at, seq: 0, text: 'a' });
    transcript.live({ kind: 'delta', ...at, seq: 2, text: 'c' });
    transcript.live({ kind: 'delta', ...at, seq: 3, text: 'd' });
    expect(needs).toEqual(['reconnect']);
    expect(transcript.tail).toBe('a');
    expect(answer()).toBe('');
  });

  it('waits for the store where the bus kept only the end of a long text', () => {
    const { transcript, answer } = follow();
    const agent = new FakeAgent(script);
    transcript.snapshot(agent.snapshot('c1'));
    const text = 'line\n\n'.repeat(40_000);
    const at = { conversationId: 'c1', turn: 1, step: 1, attempt: 1, channel: 'answer' as const };
    transcript.backlog([{ kind: 'delta', ...at, seq: 9, text: `…${text.slice(-120_000)}` }]);
    transcript.live({ kind: 'delta', ...at, seq: 10, text: 'end' });
    expect([answer(), transcript.tail]).toEqual(['', '']);
    agent.addMessage('c1', { role: 'assistant', text: `${text}end`, turn: 1, step: 1 });
    transcript.messages(agent.snapshot('c1').messages);
    expect(answer()).toBe(`${text}end`);
  });

  it('prints messages of others, with who spoke, and keeps own ones to their line', () => {
    const { transcript, items } = follow();
    const agent = new FakeAgent(script);
    transcript.snapshot(agent.snapshot('c1'));
    transcript.sent('m-000001', 'mine');
    agent.addMessage('c1', { role: 'user', text: 'mine', turn: 1 });
    agent.addMessage('c1', { role: 'user', text: 'theirs', turn: 1, speaker: 'Ada' });
    transcript.messages(agent.snapshot('c1').messages);
    transcript.messages(agent.snapshot('c1').messages);
    expect(items).toEqual([{ kind: 'user', text: 'theirs', speaker: 'Ada' }]);
  });

  it('shows only the last turns of a long conversation at first', () => {
    const { transcript, items } = follow();
    const agent = new FakeAgent(script);
    for (const turn of [1, 2, 3]) agent.addMessage('c1', { role: 'assistant', text: `answer ${turn}`, turn, step: 1 });
    agent.change('c1', { lastTurn: 3 });
    transcript.snapshot(agent.snapshot('c1'));
    expect(items.map((item) => (item.kind === 'answer' ? item.text : ''))).toEqual(['answer 2', 'answer 3']);
  });
});

describe('StepText', () => {
  it('gives out a text once, however it is cut and whenever it is asked', () => {
    const text = 'One\n\nTwo **b**\n\n- x\n- y\n\n```\ncode\n\nmore\n```\n\nend';
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: text.length }), (cuts) => {
        const step = new StepText();
        let given = '';
        let at = 0;
        cuts.forEach((size, seq) => {
          expect(step.add(1, seq, text.slice(at, at + size))).toBe('taken');
          at += size;
          given += step.take()?.text ?? '';
        });
        given += step.close(text)?.text ?? '';
        expect(given).toBe(text);
        expect(step.close(text)).toBeNull();
      }),
    );
  });

  it('goes on after a second attempt that says the same, and starts over after one that does not', () => {
    const step = new StepText();
    step.add(1, 0, 'Same.\n\nTail\n');
    expect(step.take()).toEqual({ text: 'Same.\n\n', anew: false });
    step.add(2, 0, 'Sa');
    expect(step.take()).toBeNull();
    expect(step.tail).toBe('');
    step.add(2, 1, 'me.\n\nOther');
    expect(step.tail).toBe('Other');
    expect(step.add(1, 1, 'late')).toBe('old');
    step.add(3, 0, 'New.');
    expect(step.close()).toEqual({ text: 'New.', anew: true });
  });
});
