import { describe, expect, it } from 'vitest';
import type { PlatformEvent } from '../../../src/gateway/platforms/platform.ts';
import { describeIf, itIf } from '../backends/fact-if.ts';
import { addressOf, until } from './bench.ts';
import type { Subject } from './conformance.ts';

export function receiveFacts(subject: Subject): void {
  const { cast, bench, descriptor } = subject;
  const { capabilities } = descriptor;
  const options = () => ({ key: bench().key(), signal: AbortSignal.timeout(20_000) });

  describe('what people do arrives', () => {
    it('a direct message', async () => {
      const before = Date.now() - 60_000;
      const messageId = await bench().server.says({ chat: cast.direct, from: cast.anna, text: 'hello & <good> *day*' });
      const event = await bench().message('hello');
      expect(event).toMatchObject({
        messageId,
        addressed: true,
        files: [],
        chat: { id: cast.direct.id, kind: 'direct' },
      });
      expect(event.text.replaceAll('\\', '')).toBe('hello & <good> *day*');
      expect(event.sender.id).toBe(cast.anna.id);
      expect(event.sender.name).toBe(cast.anna.name);
      expect(Date.parse(event.at)).toBeGreaterThan(before);
      expect(event.key.length).toBeLessThanOrEqual(150);
    });

    it('the text as it was written: emoji, other scripts, several lines', async () => {
      const text = 'first 👩‍👩‍👧\n\nзвук שלום 字';
      await bench().server.says({ chat: cast.direct, from: cast.anna, text });
      expect((await bench().message('first')).text).toBe(text);
    });

    itIf(subject.has('incoming-edits'))('an edit names the message it replaces', async () => {
      const messageId = await bench().server.says({ chat: cast.direct, from: cast.anna, text: 'seven' });
      const first = await bench().message('seven');
      await bench().server.says({ chat: cast.direct, from: cast.anna, text: 'eight', edits: messageId });
      const edit = await bench().message('eight');
      expect(edit).toMatchObject({ messageId, edited: true });
      expect(first.edited ?? false).toBe(false);
      expect(edit.key).not.toBe(first.key);
    });

    it('a command with its arguments', async () => {
      await bench().server.command({ chat: cast.direct, from: cast.anna, name: 'status', args: 'of it all' });
      const event = await bench().inbox.event(({ kind }) => kind === 'command');
      expect(event).toMatchObject({ name: 'status', args: 'of it all', sender: { id: cast.anna.id } });
      expect(event.chat.id).toBe(cast.direct.id);
    });

    it('a command without arguments', async () => {
      await bench().server.command({ chat: cast.direct, from: cast.anna, name: 'help', args: '' });
      expect(await bench().inbox.event(({ kind }) => kind === 'command')).toMatchObject({ name: 'help', args: '' });
    });

    itIf(capabilities.buttons > 0)('the press of a button, which is then answered', async () => {
      const { server, inbox, connection } = bench();
      const to = addressOf(cast.direct);
      const buttons = [
        { label: 'Yes', data: '0123456789abcdef:0', style: 'primary' as const },
        { label: 'No', data: '0123456789abcdef:1' },
      ];
      await server.says({ chat: cast.direct, from: cast.anna, text: 'may I?' });
      await bench().message('may I?');
      const { messageId } = await connection().outbound.sendText(to, { text: 'May it run?', buttons }, options());
      const seen = server.messages(cast.direct).at(-1);
      expect(seen?.buttons).toEqual(buttons.map(({ label, data }) => ({ label, data })));
      await server.presses({ chat: cast.direct, from: cast.anna, messageId, data: '0123456789abcdef:1' });
      const event = await inbox.event(({ kind }) => kind === 'button');
      expect(event).toMatchObject({ data: '0123456789abcdef:1', messageId, sender: { id: cast.anna.id } });
      expect(event.chat).toMatchObject({ id: cast.direct.id, kind: 'direct' });
      const { outbound } = connection();
      if (outbound.acknowledgeButton === undefined) return;
      await outbound.acknowledgeButton(event as Extract<PlatformEvent, { kind: 'button' }>, 'Refused.');
      await until('the press is answered', () => server.pressAnswers().includes('Refused.'));
    });
  });

  describeIf(subject.has('groups') || (capabilities.threads && cast.thread !== undefined))('groups and threads', () => {
    itIf(subject.has('groups'))('a mention addresses the agent and is no part of the text', async () => {
      await bench().server.says({ chat: cast.group, from: cast.anna, text: 'what time is it?', mention: true });
      const event = await bench().message('what time is it?');
      expect(event).toMatchObject({ addressed: true, chat: { id: cast.group.id, kind: 'group' } });
      expect(event.text).toBe('what time is it?');
      expect(event.sender.id).toBe(cast.anna.id);
    });

    itIf(subject.has('groups'))('talk among others does not address it', async () => {
      await bench().server.says({ chat: cast.group, from: cast.ben, text: 'not for you' });
      await bench().server.says({ chat: cast.group, from: cast.ben, text: 'for you', mention: true });
      await bench().inbox.event((event) => event.kind === 'message' && event.text === 'for you');
      const unaddressed = bench().inbox.events.filter(
        (event) => event.kind === 'message' && event.text === 'not for you',
      );
      expect(unaddressed.every((event) => event.kind === 'message' && !event.addressed)).toBe(true);
    });

    itIf(subject.has('groups'))('an answer to a message of the agent addresses it and quotes it', async () => {
      const { server, connection } = bench();
      await server.says({ chat: cast.group, from: cast.anna, text: 'the plan?', mention: true });
      await bench().message('the plan?');
      const sent = await connection().outbound.sendText(addressOf(cast.group), { text: 'We go at noon.' }, options());
      await server.says({ chat: cast.group, from: cast.ben, text: 'why so late', replyTo: sent.messageId });
      const event = await bench().message('why so late');
      expect(event.addressed).toBe(true);
      expect(event.quoted).toContain('We go at noon.');
    });

    itIf(capabilities.threads && cast.thread !== undefined)(
      'a thread is told apart, and answers go there',
      async () => {
        const thread = cast.thread ?? cast.group;
        const { server, connection } = bench();
        await server.says({ chat: thread, from: cast.anna, text: 'in the thread', mention: true });
        const event = await bench().message('in the thread');
        expect(event.chat.thread).toBe(thread.thread);
        expect(event.chat.id).toBe(thread.id);
        await connection().outbound.sendText(addressOf(event.chat), { text: 'an answer there' }, options());
        expect(server.messages(thread).at(-1)).toMatchObject({ text: 'an answer there', thread: thread.thread });
      },
    );
  });
}
