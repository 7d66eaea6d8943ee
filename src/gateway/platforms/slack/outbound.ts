import { createHash } from 'node:crypto';
import { PortError } from '../../../lib/port-error.ts';
import { fields, type Fields, words } from '../json-fields.ts';
import type { OutboundText, PlatformAddress, PlatformOutbound } from '../platform.ts';
import type { CallOptions, SlackApi } from './api.ts';
import { idOf, listOf } from './fields.ts';
import { longestSection, longestText } from './limits.ts';
import { sendFile } from './send-file.ts';

const unreadable: readonly unknown[] = ['missing_scope', 'thread_not_found'];
const labelChars = 75;
const pageSize = 200;
const mostPages = 10;
/** Clocks of two machines, and a request that was long under way. */
const clockSlackMs = 120_000;

export function createOutbound(api: SlackApi): PlatformOutbound {
  const rooms = new Map<string, string>();
  /** Keys whose id Slack takes for a repeat of something it does not find; they go without it. */
  const withoutId = new Set<string>();
  /** Direct chats may be named by the person; history and files take the chat's own id only. */
  const channelOf = async (chat: string, options: Omit<CallOptions, 'repeating'>): Promise<string> => {
    const known = /^[UW]/.test(chat) ? rooms.get(chat) : chat;
    if (known !== undefined) return known;
    const answer = await api.call('conversations.open', { users: chat }, { ...options, repeating: 'nothing' });
    const channel = idOf(fields(answer['channel'])['id']);
    if (channel === null) throw new PortError('Platform.RecipientGone', 'Slack opens no direct chat with this person');
    rooms.set(chat, channel);
    return channel;
  };

  return {
    sendText: async (to, text, { key, signal }) => {
      const channel = await channelOf(to.chat, { signal });
      const args = {
        channel,
        ...threadOf(to),
        ...contentOf(text),
        ...(withoutId.has(key) ? {} : { client_msg_id: uuidOf(key) }),
        metadata: { event_type: 'hermes_delivery', event_payload: { delivery_key: key } },
        unfurl_links: false,
        unfurl_media: false,
      };
      const answer = await api
        .call('chat.postMessage', args, { repeating: 'again', signal })
        .catch((error: unknown) => {
          if (PortError.is(error) && isUnfoundRepeat(error)) withoutId.add(key);
          throw error;
        });
      const messageId = idOf(answer['ts']);
      if (messageId === null) throw new PortError('Platform.Ambiguous', 'Slack does not say which message it made');
      return { messageId };
    },

    sendFile: async (to, file, { key, signal }) => {
      const channel = await channelOf(to.chat, { signal });
      const blocks = captionBlocks(file.caption, file.name, markOf(key));
      return { messageId: await sendFile(api, file, { channel, ...threadOf(to), blocks }, signal) };
    },

    edit: async (to, messageId, text, { signal }) => {
      const channel = await channelOf(to.chat, { signal });
      // Said even when empty: what is left out stays as it was.
      const content = { blocks: [], attachments: [], ...contentOf(text) };
      await api.call('chat.update', { channel, ts: messageId, ...content }, { repeating: 'same', signal });
    },

    // Slack shows no typing of bots.
    typing: () => Promise.resolve(),

    reconcile: async (to, key, sinceAt) => {
      const channel = await channelOf(to.chat, {});
      const oldest = ((Date.parse(sinceAt) - clockSlackMs) / 1000).toFixed(6);
      let cursor: string | null = null;
      for (let page = 0; page < mostPages; page += 1) {
        const args = {
          channel,
          oldest,
          limit: pageSize,
          include_all_metadata: true,
          ...(cursor === null ? {} : { cursor }),
        };
        const answer = await look(api, to, args);
        if (answer === null) return { state: 'unknown' };
        const found = idOf(listOf(answer['messages']).find((message) => isOf(message, key))?.['ts']);
        if (found !== null) return { state: 'sent', messageId: found };
        cursor = words(fields(answer['response_metadata'])['next_cursor']);
        if (cursor === null) return { state: 'absent' };
      }
      return { state: 'unknown' };
    },
  };
}

/** Null where the account may not read the chat, or its thread is gone. */
async function look(api: SlackApi, to: PlatformAddress, args: Fields): Promise<Fields | null> {
  try {
    if (to.thread === undefined) return await api.call('conversations.history', args, { repeating: 'nothing' });
    return await api.call('conversations.replies', { ...args, ts: to.thread }, { repeating: 'nothing' });
  } catch (error) {
    if (PortError.is(error) && unreadable.includes(error.details['error'])) return null;
    throw error;
  }
}

function isOf(message: Fields, key: string): boolean {
  if (fields(fields(message['metadata'])['event_payload'])['delivery_key'] === key) return true;
  return listOf(message['blocks']).some((block) => block['block_id'] === markOf(key));
}

function isUnfoundRepeat(error: PortError): boolean {
  return /^duplicate_\w+_not_found$/.test(words(error.details['error']) ?? '');
}

function threadOf(to: PlatformAddress): { thread_ts?: string } {
  return to.thread === undefined ? {} : { thread_ts: to.thread };
}

function contentOf({ text, buttons = [] }: OutboundText): {
  text: string;
  blocks?: unknown[];
  attachments?: unknown[];
} {
  // Slack cuts a text that is too long without a word.
  if (text.length > longestText) {
    throw new PortError('Platform.MessageRejected', `the text has ${text.length} characters, too many for Slack`);
  }
  if (buttons.length === 0) return { text };
  const actions = {
    type: 'actions',
    elements: buttons.map(({ label, data, style }) => ({
      type: 'button',
      text: { type: 'plain_text', text: label.slice(0, labelChars), emoji: true },
      value: data,
      action_id: data,
      ...(style === undefined ? {} : { style }),
    })),
  };
  // Longer ones stand outside of blocks.
  if (text.length > longestSection) return { text, attachments: [{ fallback: '', blocks: [actions] }] };
  return { text, blocks: [{ type: 'section', text: { type: 'mrkdwn', text } }, actions] };
}

/** The message around a file; its block carries the delivery's mark, since a file can have no metadata. */
function captionBlocks(caption: string | undefined, name: string, mark: string): readonly unknown[] {
  if (caption !== undefined && caption !== '') {
    return [{ type: 'section', block_id: mark, text: { type: 'mrkdwn', text: caption } }];
  }
  return [{ type: 'context', block_id: mark, elements: [{ type: 'plain_text', text: name }] }];
}

function markOf(key: string): string {
  return `hermes-${digest(key).slice(0, 32)}`;
}

/** The same for the same key, in the form of a random UUID. */
function uuidOf(key: string): string {
  const hex = digest(key);
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `5${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join('-');
}

function digest(key: string): string {
  return createHash('sha256').update(`hermes delivery ${key}`).digest('hex');
}
