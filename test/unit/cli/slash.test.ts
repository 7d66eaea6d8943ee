import { describe, expect, it } from 'vitest';
import type { HermesClient } from '../../../src/cli/client/client.ts';
import { completeSlash } from '../../../src/cli/slash/complete.ts';
import type { SlashContext } from '../../../src/cli/slash/context.ts';
import { runSlash } from '../../../src/cli/slash/run.ts';

/** A chat in the terminal, as far as these commands look at it. */
function openChat() {
  const shown: string[] = [];
  const handedOver: unknown[] = [];
  const client = {
    handOff: (id: string, body: unknown) => {
      handedOver.push({ id, body });
      return Promise.resolve({ account: 'telegram' });
    },
  } as unknown as HermesClient;
  const context = {
    client,
    conversationId: () => 'main-1',
    print: (markdown: string) => shown.push(markdown),
    notice: (text: string) => shown.push(text),
  } as unknown as SlashContext;
  return { context, client, shown, handedOver };
}

describe('slash commands in the terminal', () => {
  it('say where commands of chat platforms belong', async () => {
    const { context } = openChat();
    for (const name of ['link', 'unlink', 'sethome', 'voice']) {
      await expect(runSlash(context, `/${name} x`)).rejects.toThrow(
        `/${name} is about a chat platform: type it there, in the chat with the agent.`,
      );
    }
  });

  it('are listed and completed without those', async () => {
    const { context, client, shown } = openChat();
    await runSlash(context, '/help');
    expect(shown[0]).toContain('/handoff PLATFORM');
    for (const word of ['/link', '/sethome', '/voice']) expect(shown[0]).not.toContain(word);
    expect(await completeSlash(client, '/un')).toEqual({ lines: ['/undo'] });
    expect(await completeSlash(client, '/ha')).toEqual({ lines: ['/handoff '] });
    expect(await completeSlash(client, '/link ')).toEqual({ lines: [] });
  });

  it('hand the shown conversation over under a key of its own', async () => {
    const { context, shown, handedOver } = openChat();
    await expect(runSlash(context, '/handoff')).rejects.toThrow('Usage: /handoff PLATFORM');
    await runSlash(context, '/handoff telegram');
    expect(shown).toEqual(['This talk goes on at telegram.']);
    expect(handedOver).toEqual([
      { id: 'main-1', body: { to: 'telegram', key: expect.stringMatching(/^handoff-[\w-]{36}$/) as string } },
    ]);
  });
});
