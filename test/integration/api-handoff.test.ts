import { describe, expect, it } from 'vitest';
import type { HandOffRequest } from '../../src/gateway/commands/hand-off.ts';
import { Refusal } from '../../src/gateway/refusal.ts';
import { openApi } from '../unit/gateway/support/gateway.ts';

const body = { key: 'handoff-12345678', to: 'telegram' };

describe('POST /api/conversations/{id}/handoff', () => {
  it('hands the conversation over under the key of the request', async () => {
    const asked: HandOffRequest[] = [];
    const api = await openApi({
      handOff: (request) => {
        asked.push(request);
        return Promise.resolve({ account: 'telegram' });
      },
    });
    const { id } = await api.store.conversations.current('anna');
    expect(await api.json('POST', `/api/conversations/${id}/handoff`, body)).toEqual({ account: 'telegram' });
    expect(asked).toMatchObject([{ ...body, conversation: { id } }]);
  });

  it('answers 409 where the person has no chat, 404 for an unknown conversation, 400 without platforms', async () => {
    const refused = await openApi({
      handOff: () => Promise.reject(new Refusal('Api.Conflict', 'You have no direct chat there yet.')),
    });
    const { id } = await refused.store.conversations.current('anna');
    await refused.json('POST', `/api/conversations/${id}/handoff`, body, 409);
    await refused.json('POST', '/api/conversations/nowhere/handoff', body, 404);
    await refused.json('POST', `/api/conversations/${id}/handoff`, { to: 'telegram' }, 400);
    const without = await openApi();
    const other = await without.store.conversations.current('anna');
    await without.json('POST', `/api/conversations/${other.id}/handoff`, body, 400);
  });
});
