import { describe, expect, it } from 'vitest';
import { itIf } from '../backends/fact-if.ts';
import { addressOf, until } from './bench.ts';
import type { Subject } from './conformance.ts';

/** Longest texts made of what the platform counts with most effort. */
const fullOf = {
  utf16: (max: number) => '😀'.repeat(Math.floor(max / 2)) + 'x'.repeat(max % 2),
  codepoints: (max: number) => '😀'.repeat(max),
  bytes: (max: number) => 'é'.repeat(Math.floor(max / 2)) + 'x'.repeat(max % 2),
} as const;

export function sendFacts(subject: Subject): void {
  const { cast, bench, descriptor } = subject;
  const { capabilities } = descriptor;
  const to = addressOf(cast.direct);
  const options = () => ({ key: bench().key(), signal: AbortSignal.timeout(20_000) });
  const outbound = () => bench().connection().outbound;
  /** Platforms that let a bot answer only hear from the person first. */
  const greeted = async () => {
    await bench().server.says({ chat: cast.direct, from: cast.anna, text: 'hello' });
    return (await bench().message('hello')).messageId;
  };

  describe('what the agent sends is seen', () => {
    it('a text, under the id that is told', async () => {
      await greeted();
      const { messageId } = await outbound().sendText(to, { text: 'good day' }, options());
      const seen = bench().server.messages(cast.direct);
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatchObject({ id: messageId, text: 'good day', buttons: [], files: [], edits: 0 });
    });

    itIf(subject.has('replies'))('an answer to a certain message', async () => {
      const replyTo = await greeted();
      await outbound().sendText(to, { text: 'as you say', replyTo }, options());
      expect(bench().server.messages(cast.direct)[0]).toMatchObject({ replyTo, text: 'as you say' });
    });

    it('several texts of one chat in their order', async () => {
      await greeted();
      for (const text of ['one', 'two', 'three']) await outbound().sendText(to, { text }, options());
      expect(
        bench()
          .server.messages(cast.direct)
          .map(({ text }) => text),
      ).toEqual(['one', 'two', 'three']);
      expect(bench().server.messages(cast.other)).toEqual([]);
    });

    it('the longest text whole', async () => {
      await greeted();
      const text = fullOf[capabilities.text.unit](capabilities.text.max);
      await outbound().sendText(to, { text }, options());
      expect(
        bench()
          .server.messages(cast.direct)
          .map((seen) => seen.text),
      ).toEqual([text]);
    });

    itIf(subject.has('text-limit'))('a longer one is refused and not shown', async () => {
      await greeted();
      const text = `${fullOf[capabilities.text.unit](capabilities.text.max)}y`;
      const error = await bench().refusal(outbound().sendText(to, { text }, options()));
      expect(error.code).toBe('Platform.MessageRejected');
      expect(bench().server.messages(cast.direct)).toEqual([]);
    });

    itIf(capabilities.edits)('an edit replaces the text; the same edit again is fine', async () => {
      await greeted();
      const { messageId } = await outbound().sendText(to, { text: 'thinking' }, options());
      await outbound().edit(to, messageId, { text: 'half an answer' }, options());
      await outbound().edit(to, messageId, { text: 'the answer' }, options());
      await outbound().edit(to, messageId, { text: 'the answer' }, options());
      const seen = bench().server.messages(cast.direct);
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatchObject({ id: messageId, text: 'the answer' });
      expect(seen[0]?.edits).toBeGreaterThanOrEqual(2);
    });

    itIf(capabilities.edits && capabilities.buttons > 0)('an edit without buttons takes them away', async () => {
      await greeted();
      const buttons = [{ label: 'Approve', data: 'aaaabbbbccccdddd:0' }];
      const { messageId } = await outbound().sendText(to, { text: 'May it run?', buttons }, options());
      expect(bench().server.messages(cast.direct)[0]?.buttons).toEqual(buttons);
      await outbound().edit(to, messageId, { text: 'May it run? Approved.' }, options());
      expect(bench().server.messages(cast.direct)[0]).toMatchObject({ buttons: [], text: 'May it run? Approved.' });
    });

    itIf(capabilities.buttons > 0)('as many buttons as it says it can show', async () => {
      await greeted();
      const buttons = Array.from({ length: capabilities.buttons }, (_, index) => ({
        label: `Choice ${index + 1}`,
        data: `0123456789abcdef:${index}`,
      }));
      await outbound().sendText(to, { text: 'Which?', buttons }, options());
      expect(bench().server.messages(cast.direct)[0]?.buttons).toEqual(buttons);
    });

    itIf(capabilities.typingMs !== null)('that it is typing', async () => {
      await greeted();
      await outbound().typing(to, AbortSignal.timeout(20_000));
      // Some platforms answer nothing to it, so it may still be under way.
      await until('it is shown', () => bench().server.typings(cast.direct) > 0);
      expect(bench().server.messages(cast.direct)).toEqual([]);
    });

    itIf(capabilities.commands === 'native')('its commands, registered as often as one likes', async () => {
      const commands = [
        { name: 'new', args: '', help: 'Begins a new conversation.' },
        { name: 'resume', args: 'NAME', help: 'Goes on with another conversation.' },
      ];
      await outbound().registerCommands?.(commands);
      await outbound().registerCommands?.(commands);
      expect(bench().server.commands()).toEqual(['new', 'resume']);
    });
  });
}
