import { telegram } from '../../../src/gateway/platforms/telegram/descriptor.ts';
import { readEvent } from '../../../src/gateway/platforms/telegram/read-event.ts';
import { TelegramServer } from '../../support/platforms/telegram-server.ts';
import { describePlatform } from './conformance.ts';

const anna = { id: '1001', name: 'Anna' };
const ben = { id: '1002', name: 'Ben Q' };
const me = { id: 7_700_000_001, username: 'hermes_test_bot' };
const from = { id: 1001, is_bot: false, first_name: 'Anna', username: 'anna' };
const privateChat = { id: 1001, type: 'private', first_name: 'Anna' };
const group = { id: -100_200_300, type: 'supergroup', title: 'Kitchen', is_forum: true };
const own = { message_id: 8, from: { ...me, is_bot: true, first_name: 'Hermes' }, chat: group, date: 1, text: 'Yes.' };

describePlatform({
  name: 'telegram',
  descriptor: telegram,
  server: () => new TelegramServer(),
  cast: {
    anna,
    ben,
    direct: { id: anna.id, kind: 'direct' },
    other: { id: ben.id, kind: 'direct' },
    group: { id: '-100200300', kind: 'group', title: 'Kitchen' },
    thread: { id: '-100200300', kind: 'group', title: 'Kitchen', thread: '77' },
  },
  parse: (payload) => readEvent(payload, me),
  samples: [
    { update_id: 1, message: { message_id: 5, from, chat: privateChat, date: 1_790_000_000, text: 'hello' } },
    {
      update_id: 2,
      message: {
        message_id: 6,
        from,
        chat: group,
        date: 1_790_000_000,
        message_thread_id: 77,
        is_topic_message: true,
        reply_to_message: own,
        quote: { text: 'Yes', position: 0 },
        text: '@hermes_test_bot see this link and code',
        entities: [
          { type: 'mention', offset: 0, length: 16 },
          { type: 'text_link', offset: 26, length: 4, url: 'https://example.org' },
          { type: 'pre', offset: 35, length: 4, language: 'ts' },
        ],
      },
    },
    {
      update_id: 3,
      message: {
        message_id: 7,
        from,
        chat: group,
        date: 1_790_000_000,
        text: '/status@hermes_test_bot now',
        entities: [{ type: 'bot_command', offset: 0, length: 23 }],
      },
    },
    { update_id: 4, callback_query: { id: '44', from, chat_instance: '1', data: 'aa:0', message: own } },
    {
      update_id: 5,
      edited_message: {
        message_id: 9,
        from,
        chat: privateChat,
        date: 1_790_000_000,
        edit_date: 1_790_000_009,
        caption: 'a picture',
        photo: [{ file_id: 'a', file_unique_id: 'b', width: 90, height: 90, file_size: 100 }],
      },
    },
    {
      update_id: 6,
      message: {
        message_id: 10,
        from,
        chat: privateChat,
        date: 1_790_000_000,
        voice: { file_id: 'v', file_unique_id: 'w', duration: 2, mime_type: 'audio/ogg', file_size: 100 },
      },
    },
    {
      update_id: 7,
      my_chat_member: {
        chat: privateChat,
        from,
        date: 1_790_000_000,
        old_chat_member: { user: { id: me.id }, status: 'member' },
        new_chat_member: { user: { id: me.id }, status: 'kicked', until_date: 0 },
      },
    },
    {
      update_id: 8,
      message: {
        message_id: 11,
        from,
        chat: privateChat,
        date: 1_790_000_000,
        poll: { question: 'Tea?', options: [{ text: 'Yes' }, { text: 'No' }] },
      },
    },
  ],
});
