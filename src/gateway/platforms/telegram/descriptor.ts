import { definePlatform } from '../define-platform.ts';
import type { PlatformSettings } from '../platform.ts';

const settings = {
  token: {
    kind: 'secret',
    description: 'Bot token from @BotFather, such as 123456:ABC-DEF.',
    env: 'TELEGRAM_BOT_TOKEN',
  },
  apiRoot: {
    kind: 'url',
    default: 'https://api.telegram.org',
    description: 'Address of the Bot API; another one for a Bot API server of your own or a proxy.',
  },
} as const satisfies PlatformSettings;

export type TelegramSettings = typeof settings;

/** Telegram through the Bot API, by long polling: nothing has to be reachable from outside. */
export const telegram = definePlatform<TelegramSettings>({
  id: 'telegram',
  title: 'Telegram',
  capabilities: {
    // Counted after the formatting is taken out; in UTF-16 it is never more than the platform counts.
    text: { max: 4096, unit: 'utf16' },
    dialect: 'telegram-html',
    edits: true,
    paceMs: { chat: 1_050, account: 40 },
    buttons: 8,
    typingMs: 5_000,
    threads: true,
    commands: 'native',
    files: { sendBytes: 50_000_000, receiveBytes: 20_000_000, captionMax: 1024 },
    voiceNotes: true,
    sendsOnce: 'none',
  },
  promptHint:
    'Telegram shows bold, italic, links, lists, quotes and code blocks, but no tables; messages are read on a phone, so keep them short.',
  settings,
  needs: ['token'],
  setup: [
    { text: 'In Telegram, write /newbot to @BotFather and choose a name. It answers with a token.', setting: 'token' },
    {
      text: 'For groups: add the bot to the group. It hears mentions, replies to it and commands; with /setprivacy at @BotFather it hears everything, after it was added anew.',
    },
  ],
  open: async (account) => (await import('./telegram.ts')).openTelegram(account),
});
