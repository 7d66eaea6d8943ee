import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '../../../src/contracts/stream.ts';
import { parseStreamEvents } from '../../../src/stream/receive.ts';

const at = { conversationId: 'c', turn: 1 };
const all: readonly StreamEvent[] = [
  { ...at, kind: 'turn-started', inboundIds: ['a'] },
  { ...at, kind: 'step-started', step: 1, attempt: 100, model: 'm' },
  { ...at, kind: 'delta', step: 1, attempt: 100, seq: 0, text: 'x', channel: 'answer' },
  { ...at, kind: 'tool-started', step: 1, callKey: 'k', name: 'n', summary: 's' },
  {
    ...at,
    kind: 'tool-finished',
    step: 1,
    callKey: 'k',
    name: 'n',
    summary: 's',
    status: 'ok',
    preview: 'p',
    durationMs: 2,
  },
  { ...at, kind: 'asked', approvalId: 'q', ask: 'approval', title: 't', detail: 'd', choices: ['yes'] },
  { ...at, kind: 'decided', approvalId: 'q', decision: 'approve' },
  { ...at, kind: 'notice', text: 'n' },
  { ...at, kind: 'outbox' },
  { ...at, kind: 'turn-finished', outcome: 'done', inboundIds: ['a'] },
];

describe('received events', () => {
  it('of every kind come through JSON unchanged', () => {
    expect(parseStreamEvents(JSON.parse(JSON.stringify(all)))).toEqual(all);
  });

  it('of unknown kinds, or with values unknown here, are left out', () => {
    const odd = [
      { ...at, kind: 'hologram', size: 3 },
      { ...at, kind: 'toString' },
      { ...at, kind: 'delta', text: 5 },
      { ...at, kind: 'tool-finished', status: 'levitating' },
    ];
    expect(parseStreamEvents([...odd, all[7]])).toEqual([all[7]]);
  });

  it('lose fields that are unknown here', () => {
    expect(parseStreamEvents([{ ...all[7], extra: 1 }])).toEqual([all[7]]);
  });

  it.each([[null], [{}], ['[]'], [[1]], [[{ kind: 'notice' }]]])('are refused where they are none: %j', (body) => {
    expect(() => parseStreamEvents(body)).toThrow(/expected an array/);
  });
});
