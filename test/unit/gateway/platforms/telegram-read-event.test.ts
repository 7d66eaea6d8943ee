import { describe, expect, it } from 'vitest';
import { PortError } from '../../../../src/lib/port-error.ts';
import { readEvent } from '../../../../src/gateway/platforms/telegram/read-event.ts';

const me = { id: 77, username: 'hermes_bot' };
const anna = { id: 1, is_bot: false, first_name: 'Anna', last_name: 'Q' };
const group = { id: -100_5, type: 'supergroup', title: 'Kitchen' };
const own = { message_id: 4, from: { id: 77, is_bot: true, first_name: 'Hermes' }, chat: group, text: 'At noon.' };

const message = (fields: object) => ({
  update_id: 9,
  message: { message_id: 5, from: anna, chat: { id: 1, type: 'private' }, date: 1_790_000_000, ...fields },
});
const inGroup = (fields: object) => message({ chat: group, ...fields });
const read = (update: unknown) => {
  const event = readEvent(update, me);
  if (PortError.is(event)) throw event;
  return event;
};

describe('an update of Telegram', () => {
  it('keeps the formatting as Markdown', () => {
    const text = 'bold code link let x = 1; old said';
    const entities = [
      { type: 'bold', offset: 0, length: 5 },
      { type: 'code', offset: 5, length: 4 },
      { type: 'text_link', offset: 10, length: 4, url: 'https://example.org/' },
      { type: 'pre', offset: 15, length: 10, language: 'ts' },
      { type: 'strikethrough', offset: 26, length: 3 },
      { type: 'blockquote', offset: 30, length: 4 },
    ];
    expect(read(message({ text, entities }))).toMatchObject({
      text: '**bold** `code` [link](https://example.org/) ```ts\nlet x = 1;\n``` ~~old~~ > said',
    });
  });

  it('nests formatting, and counts as the platform does, in UTF-16', () => {
    const entities = [
      { type: 'bold', offset: 3, length: 8 },
      { type: 'italic', offset: 3, length: 2 },
    ];
    expect(read(message({ text: '😀 so it is', entities }))).toMatchObject({ text: '😀 **_so_ it is**' });
  });

  it('is addressed by name in any spelling, and by a link to the account', () => {
    const byName = { text: '@Hermes_Bot, what is up?', entities: [{ type: 'mention', offset: 0, length: 11 }] };
    expect(read(inGroup(byName))).toMatchObject({ addressed: true, text: 'what is up?' });
    const byLink = {
      text: 'tell Hermes now',
      entities: [{ type: 'text_mention', offset: 5, length: 6, user: { id: 77 } }],
    };
    expect(read(inGroup(byLink))).toMatchObject({ addressed: true, text: 'tell now' });
    const another = { text: '@hermes_bot2 hi', entities: [{ type: 'mention', offset: 0, length: 12 }] };
    expect(read(inGroup(another))).toMatchObject({ addressed: false, text: '@hermes_bot2 hi' });
  });

  it('without the mention the rest is as it was written', () => {
    const text = ':) @hermes_bot  run:\n  if (a) {\n    b();\n  }';
    const entities = [{ type: 'mention', offset: 3, length: 11 }];
    expect(read(inGroup({ text, entities }))).toMatchObject({ text: ':) run:\n  if (a) {\n    b();\n  }' });
  });

  it('is addressed by an answer to the account, not by one to others or by the beginning of a topic', () => {
    expect(read(inGroup({ text: 'ok', reply_to_message: own }))).toMatchObject({ addressed: true, quoted: 'At noon.' });
    const toBen = { ...own, from: { id: 2, first_name: 'Ben' } };
    expect(read(inGroup({ text: 'ok', reply_to_message: toBen }))).toMatchObject({
      addressed: false,
      quoted: 'At noon.',
    });
    const topic = { ...own, text: undefined, forum_topic_created: { name: 'T' } };
    const event = read(inGroup({ text: 'ok', reply_to_message: topic, message_thread_id: 4, is_topic_message: true }));
    expect(event).toMatchObject({ addressed: false, chat: { thread: '4' } });
    expect(event).not.toHaveProperty('quoted');
  });

  it('quotes the part that was chosen, and shortens what is long', () => {
    const quote = { text: 'noon', position: 3 };
    expect(read(message({ text: 'why', reply_to_message: own, quote }))).toMatchObject({ quoted: 'noon' });
    const long = { ...own, text: 'x'.repeat(2_000) };
    expect(read(message({ text: 'why', reply_to_message: long }))).toMatchObject({ quoted: `${'x'.repeat(500)}…` });
  });

  it('is a thread only in topics', () => {
    expect(read(inGroup({ text: 'a', message_thread_id: 3 }))?.chat).toEqual({
      id: '-1005',
      kind: 'group',
      title: 'Kitchen',
    });
  });

  it.each([
    ['/status', 7, { name: 'status', args: '' }],
    ['/model  big one\nplease', 6, { name: 'model', args: 'big one\nplease' }],
    ['/new@hermes_BOT x', 15, { name: 'new', args: 'x' }],
  ])('%j is a command', (text, length, command) => {
    const entities = [{ type: 'bot_command', offset: 0, length }];
    expect(read(inGroup({ text, entities }))).toMatchObject({ kind: 'command', ...command, messageId: '5' });
  });

  it('a path is no command, and a command for another bot is nothing at all', () => {
    const path = { text: '/usr/bin/env is it', entities: [{ type: 'bot_command', offset: 0, length: 4 }] };
    expect(read(message(path))).toMatchObject({ kind: 'message', text: '/usr/bin/env is it' });
    const another = { text: '/new@other_bot', entities: [{ type: 'bot_command', offset: 0, length: 14 }] };
    expect(read(inGroup(another))).toBeNull();
  });

  it('names who wrote: people, and groups that write as themselves', () => {
    expect(read(message({ text: 'a' }))?.sender).toEqual({ id: '1', name: 'Anna Q' });
    const anonymous = { from: { id: 1087968824, is_bot: true, first_name: 'Group' }, sender_chat: group };
    expect(read(inGroup({ text: 'a', ...anonymous }))?.sender).toEqual({ id: '-1005', name: 'Kitchen' });
    expect(read(inGroup({ text: 'a', from: { id: 3, is_bot: true, first_name: 'Bot' } }))?.sender.isBot).toBe(true);
  });

  it('two edits within a second are two events', () => {
    const edit = (id: number, text: string) => ({
      update_id: id,
      edited_message: { ...message({ text }).message, edit_date: 1_790_000_050 },
    });
    const [first, second] = [read(edit(20, 'one')), read(edit(21, 'two'))];
    expect(first).toMatchObject({ edited: true, text: 'one', at: new Date(1_790_000_050_000).toISOString() });
    expect(first?.key).not.toBe(second?.key);
  });

  it.each([
    [{ sticker: { emoji: '👍' } }, '[sticker 👍]'],
    [{ location: { latitude: 52.5, longitude: 13.4 } }, '[location: 52.5, 13.4]'],
    [
      { venue: { title: 'Café', address: 'Main St 1', location: { latitude: 1, longitude: 2 } } },
      '[location: Café, Main St 1, 1, 2]',
    ],
    [{ contact: { first_name: 'Ben', phone_number: '+49123' } }, '[contact: Ben +49123]'],
    [{ poll: { question: 'Tea?', options: [{ text: 'Yes' }, { text: 'No' }] } }, '[poll: Tea? - Yes - No]'],
    [{ dice: { emoji: '🎲', value: 4 } }, '[🎲 4]'],
  ])('%j is told in words', (fields, text) => {
    expect(read(message(fields))).toMatchObject({ kind: 'message', text });
  });

  it('takes the largest of the sizes of a picture', () => {
    const photo = [
      { file_id: 'small', width: 90, height: 60, file_size: 10 },
      { file_id: 'large', width: 900, height: 600, file_size: 999 },
      { file_id: 'middle', width: 300, height: 200, file_size: 100 },
    ];
    expect(read(message({ caption: 'look', photo }))).toMatchObject({
      text: 'look',
      files: [{ kind: 'image', reference: { fileId: 'large' }, sizeBytes: 999, mediaType: 'image/jpeg' }],
    });
  });

  it.each([
    ['a service message', inGroup({ new_chat_members: [anna] })],
    ['its own message', message({ text: 'a', from: { ...own.from } })],
    ['a channel', message({ text: 'a', chat: { id: -1, type: 'channel', title: 'News' } })],
    ['an update of another kind', { update_id: 1, poll_answer: {} }],
    [
      'that it was let in',
      { update_id: 1, my_chat_member: { chat: group, from: anna, new_chat_member: { status: 'member' } } },
    ],
  ])('%s is none of its business', (_, update) => {
    expect(read(update)).toBeNull();
  });

  it.each([null, 5, {}, { update_id: 'x' }, message({ from: null, text: 'a' })])('%j is no update', (update) => {
    expect(PortError.is(readEvent(update, me))).toBe(true);
  });
});
