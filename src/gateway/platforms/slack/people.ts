import { fields, words } from '../json-fields.ts';
import type { PlatformEvent } from '../platform.ts';
import type { SlackApi } from './api.ts';
import { idOf, listOf } from './fields.ts';
import { textToMarkdown } from './mrkdwn.ts';

const limitMs = 1_500;
const rememberMs = 3_600_000;
const mostRemembered = 5_000;
const quoteChars = 500;
const mostMentions = 10;

/**
 * Adds to an event what Slack says only when it is asked: names of the sender and of those mentioned, and the text that is
 * answered. Never rejects.
 */
export interface Completion {
  complete(event: PlatformEvent, payload: unknown): Promise<PlatformEvent>;
}

export function createCompletion(api: SlackApi, self: { readonly userId: string }): Completion {
  const names = remembered(async (user) => {
    const { user: found } = await api.call('users.info', { user }, { repeating: 'nothing', limitMs });
    const known = fields(found);
    const profile = fields(known['profile']);
    return words(profile['display_name']) ?? words(profile['real_name']) ?? words(known['name']);
  });
  const roots = remembered(async (place) => {
    const [channel = '', ts = ''] = place.split('/');
    const args = { channel, ts, limit: 1, inclusive: true };
    const { messages } = await api.call('conversations.replies', args, { repeating: 'nothing', limitMs });
    const [root] = listOf(messages);
    const text = textToMarkdown({ text: words(root?.['text']) ?? '', blocks: null }, self.userId);
    return text === '' ? null : text.slice(0, quoteChars);
  });
  const withNames = async (text: string): Promise<string> => {
    const mentioned = [...new Set(text.match(/(?<![\w@])@[UW][A-Z0-9]{6,20}\b/g))].slice(0, mostMentions);
    let named = text;
    for (const mention of mentioned) {
      const name = await names(mention.slice(1));
      if (name !== null) named = named.replaceAll(mention, () => `@${name}`);
    }
    return named;
  };
  return {
    complete: async (event, payload) => {
      let result = event;
      const { sender, chat } = event;
      if (sender.name === sender.id && sender.isBot !== true) {
        result = { ...result, sender: { ...sender, name: (await names(sender.id)) ?? sender.id } };
      }
      if (result.kind === 'message') result = { ...result, text: await withNames(result.text) };
      const answersUs = idOf(fields(fields(payload)['event'])['parent_user_id']) === self.userId;
      if (result.kind === 'message' && answersUs && chat.thread !== undefined) {
        const quoted = await roots(`${chat.id}/${chat.thread}`);
        if (quoted !== null) result = { ...result, quoted };
      }
      return result;
    },
  };
}

/** Asks once an hour for each key; what failed is asked again after a minute. */
function remembered(ask: (key: string) => Promise<string | null>): (key: string) => Promise<string | null> {
  const known = new Map<string, { readonly value: string | null; readonly until: number }>();
  return async (key) => {
    const kept = known.get(key);
    if (kept !== undefined && kept.until > Date.now()) return kept.value;
    const value = await ask(key).catch(() => null);
    known.delete(key);
    known.set(key, { value, until: Date.now() + (value === null ? 60_000 : rememberMs) });
    const [oldest] = known.keys();
    if (known.size > mostRemembered && oldest !== undefined) known.delete(oldest);
    return value;
  };
}
