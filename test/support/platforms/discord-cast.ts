import type { EventContext } from '../../../src/gateway/platforms/discord/read-event.ts';
import {
  attachmentOf,
  botUser,
  commandInteraction,
  overGateway,
  messageOf,
  pressInteraction,
  userOf,
} from './discord-objects.ts';
import type { TestChat, TestPerson } from './platform-server.ts';

const anna: TestPerson = { id: '300000000000000001', name: 'Anna' };
const ben: TestPerson = { id: '300000000000000002', name: 'Ben' };
const direct: TestChat = { id: '400000000000000001', kind: 'direct' };
const other: TestChat = { id: '400000000000000002', kind: 'direct' };
const group: TestChat = { id: '400000000000000003', kind: 'group', title: 'general' };
const thread: TestChat = { ...group, title: 'a thread', thread: '400000000000000004' };

export const discordCast = { anna, ben, direct, other, group, thread };

/** With what a parser alone is called. */
export const discordContext: EventContext = {
  me: botUser.id,
  at: '2026-01-02T03:04:05.000Z',
  channel: (id) => (id === thread.thread ? { parent: group.id, title: 'a thread' } : undefined),
};

/** Payloads of the gateway, one of each kind of event. */
export function discordSamples(): readonly unknown[] {
  const author = userOf(anna);
  const file = { name: 'notes on it.txt', mediaType: 'text/plain', bytes: Buffer.from('notes') };
  const answered = messageOf({ channel: group.id, author: botUser, content: 'We go at noon.' });
  const written = messageOf({
    channel: direct.id,
    author,
    content: 'hello',
    attachments: [attachmentOf('http://cdn', file)],
  });
  const dispatches: readonly (readonly [type: string, data: object])[] = [
    ['MESSAGE_CREATE', written],
    [
      'MESSAGE_CREATE',
      overGateway(group, messageOf({ channel: group.id, author, content: 'why?', answered, mentions: [botUser] })),
    ],
    [
      'MESSAGE_CREATE',
      overGateway(thread, messageOf({ channel: thread.thread ?? '', author, content: 'in a thread' })),
    ],
    ['MESSAGE_CREATE', messageOf({ channel: direct.id, author, content: '/status of it' })],
    ['MESSAGE_UPDATE', { ...written, edited_timestamp: new Date().toISOString() }],
    ['INTERACTION_CREATE', commandInteraction(group, anna, 'status', 'of it all')],
    ['INTERACTION_CREATE', pressInteraction(direct, anna, answered, '0123456789abcdef:0')],
    ['CHANNEL_DELETE', { id: group.id, type: 0, guild_id: '200000000000000001', name: 'general' }],
    ['THREAD_DELETE', { id: thread.thread, type: 11, guild_id: '200000000000000001', parent_id: group.id }],
  ];
  return dispatches.map(([t, d], index) => ({ op: 0, s: index + 1, t, d }));
}
