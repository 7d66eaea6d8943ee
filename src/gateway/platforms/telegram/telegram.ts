import { PortError } from '../../../lib/port-error.ts';
import type { PlatformAccount, PlatformConnection } from '../platform.ts';
import { createTelegramApi } from './api.ts';
import type { TelegramSettings } from './descriptor.ts';
import { fetchTelegramFile } from './fetch-file.ts';
import { createTelegramOutbound } from './outbound.ts';
import { pollUpdates } from './poll.ts';

const probeLimitMs = 8_000;

/** Opens an account; nothing is asked of the platform yet. */
export function openTelegram(account: PlatformAccount<TelegramSettings>): PlatformConnection {
  const { token, apiRoot } = account.settings;
  if (token === null || token === '') {
    throw new PortError('Config.Invalid', `${account.id} needs a bot token: set gateway.telegram.token`);
  }
  const api = createTelegramApi(token, apiRoot);
  const closing = new AbortController();
  const ask = { effect: 'repeatable', signal: closing.signal, limitMs: probeLimitMs } as const;
  return {
    outbound: createTelegramOutbound(api, account.log),
    run: (inbox, signal) => pollUpdates({ api, inbox, log: account.log }, AbortSignal.any([signal, closing.signal])),
    probe: async () => {
      await api.call(ask, (bot, limit) => bot.getMe(limit));
    },
    identify: async () => {
      const me = await api.call(ask, (bot, limit) => bot.getMe(limit));
      return { id: String(me.id), name: `@${me.username}` };
    },
    fetchFile: (reference, signal) => fetchTelegramFile(api, reference, signal),
    close: () => {
      closing.abort();
      api.close();
      return Promise.resolve();
    },
  };
}
