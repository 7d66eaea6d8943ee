import { readEvent } from '../../../src/gateway/platforms/slack/read-event.ts';
import { slack } from '../../../src/gateway/platforms/slack/descriptor.ts';
import { callbackOf, SlackServer } from '../../support/platforms/slack-server.ts';
import { botUser } from '../../support/platforms/slack-workspace.ts';
import { describePlatform, type PlatformUnderTest } from './conformance.ts';

const self = { userId: botUser, botId: 'BHERMES01', command: 'hermes' };
const message = {
  type: 'message',
  channel: 'D0000000001',
  channel_type: 'im',
  user: 'UANNA0001',
  text: 'see <https://example.org|this> &amp; *that*',
  ts: '1700000000.000100',
  client_msg_id: '0c1b2a3d-0000-4000-8000-000000000001',
};
const rich = {
  type: 'rich_text',
  elements: [
    {
      type: 'rich_text_section',
      elements: [
        { type: 'user', user_id: botUser },
        { type: 'text', text: ' look ', style: { bold: true } },
        { type: 'emoji', name: 'smile', unicode: '1f600' },
      ],
    },
    { type: 'rich_text_list', style: 'ordered', indent: 1, elements: [{ elements: [{ type: 'text', text: 'one' }] }] },
    { type: 'rich_text_preformatted', elements: [{ type: 'text', text: 'a < b' }] },
  ],
};
const file = {
  id: 'F00000001',
  name: 'notes.txt',
  mimetype: 'text/plain',
  size: 12,
  url_private: 'https://files.slack.com/files-pri/T1-F1/notes.txt',
};
const press = {
  type: 'block_actions',
  user: { id: 'UANNA0001', username: 'anna' },
  channel: { id: 'D0000000001' },
  container: { type: 'message', message_ts: '1700000000.000200', channel_id: 'D0000000001' },
  message: { ts: '1700000000.000200' },
  actions: [{ type: 'button', action_id: 'a:1', value: 'a:1', action_ts: '1700000001.000100' }],
  trigger_id: '333.444.0123456789abcdef',
};

const common: Omit<PlatformUnderTest, 'name' | 'server'> = {
  descriptor: slack,
  cast: {
    anna: { id: 'UANNA0001', name: 'Anna' },
    ben: { id: 'UBEN00001', name: 'Ben' },
    direct: { id: 'D0000000001', kind: 'direct' },
    other: { id: 'D0000000002', kind: 'direct' },
    group: { id: 'C0000000001', kind: 'group' },
    thread: { id: 'C0000000001', kind: 'group', thread: '1700000000.000900' },
  },
  parse: (payload) => readEvent(payload, self, new Date().toISOString()),
  samples: [
    callbackOf(message),
    callbackOf({
      ...message,
      type: 'app_mention',
      channel: 'C0000000001',
      thread_ts: '1690000000.000100',
      blocks: [rich],
    }),
    callbackOf({ ...message, subtype: 'file_share', files: [file, { ...file, mode: 'external' }] }),
    callbackOf({
      type: 'message',
      subtype: 'message_changed',
      channel: 'D0000000001',
      message: { ...message, text: 'after', edited: { user: 'UANNA0001', ts: '1700000009.000000' } },
      previous_message: { ...message, text: 'before' },
    }),
    callbackOf({ type: 'channel_left', channel: 'C0000000001', actor_id: 'UANNA0001' }),
    press,
    {
      command: '/hermes',
      text: 'new The garden',
      user_id: 'UANNA0001',
      user_name: 'anna',
      channel_id: 'C0000000001',
      channel_name: 'general',
      trigger_id: '111.222.0123456789abcdef',
    },
  ],
};
const replies = 'an answer in Slack stands in a thread, and the address says in which';

describePlatform({
  ...common,
  name: 'slack over Socket Mode',
  server: () => new SlackServer('socket'),
  lacks: { replies },
});

describePlatform({
  ...common,
  name: 'slack over its webhook',
  server: () => new SlackServer('http'),
  lacks: { replies, connection: 'Slack calls the agent; there is no connection' },
});
