import { describe, expect, it } from 'vitest';
import { openApi } from '../unit/gateway/support/gateway.ts';

const send = (text: string, more: object = {}) => ({
  inboundId: `in-${Math.random().toString(36).slice(2)}-x`,
  text,
  ...more,
});

describe('a message and its answer over HTTP', () => {
  it('is accepted, answered and counted', async () => {
    const { json } = await openApi();
    const message = send('hello');
    const accepted = await json('POST', '/api/messages', message);
    expect(accepted).toMatchObject({ inboundId: message.inboundId, created: true, decided: null });
    const answer = await json('GET', `/api/messages/${message.inboundId}/answer?waitMs=10000`);
    expect(answer).toMatchObject({
      state: 'done',
      conversationId: accepted['conversationId'],
      turn: 1,
      text: 'echo: hello',
      usage: { inputTokens: 10, outputTokens: 5, costUsd: 0.25 },
      waitingFor: [],
    });
    expect(await json('POST', '/api/messages', message)).toMatchObject({ created: false });
  });
});
