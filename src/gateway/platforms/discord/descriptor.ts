import { definePlatform } from '../define-platform.ts';
import type { PlatformSettings } from '../platform.ts';
import { sendBytes } from './limits.ts';

const settings = {
  token: {
    kind: 'secret',
    description: 'Token of the bot, from the developer portal.',
    env: 'DISCORD_TOKEN',
  },
  apiUrl: {
    kind: 'url',
    default: 'https://discord.com/api',
    description: 'Address of the REST API, without the version.',
  },
  gatewayUrl: {
    kind: 'url',
    default: null,
    description: 'Address of the gateway (ws: or wss:) in place of the one that the REST API names.',
  },
} as const satisfies PlatformSettings;

export type DiscordSettings = typeof settings;

export const discord = definePlatform<DiscordSettings>({
  id: 'discord',
  title: 'Discord',
  capabilities: {
    // Discord counts characters; counted in UTF-16 a text is never longer than that.
    text: { max: 2000, unit: 'utf16' },
    dialect: 'discord',
    edits: true,
    // Five messages or edits in five seconds and one channel; fifty requests a second in all.
    paceMs: { chat: 1000, account: 25 },
    buttons: 25,
    typingMs: 10_000,
    threads: true,
    commands: 'native',
    files: { sendBytes, receiveBytes: 500 * 1024 * 1024, captionMax: 2000 },
    voiceNotes: true,
    sendsOnce: 'native',
    // "The past few minutes", says Discord.
    keyHoldsMs: 120_000,
  },
  promptHint:
    'Discord shows Markdown with headings, lists, quotes, links with a label and fenced code; no tables and no images by link.',
  settings,
  needs: ['token'],
  setup: [
    { text: 'Open https://discord.com/developers/applications, create an application, and go to its page "Bot".' },
    {
      text: 'On that page switch on "Message Content Intent" (under Privileged Gateway Intents), and save. Without it Discord refuses the connection with code 4014.',
    },
    { text: 'Press "Reset Token" and copy what it shows; it is shown once.', setting: 'token' },
    {
      text: 'To bring the bot into a server open the page "Installation", choose Guild Install with the scopes bot and applications.commands and the permissions Send Messages, Send Messages in Threads, Read Message History and Attach Files, and open the link it shows. Its channels go into gateway.discord.groups. Direct messages need a server in common.',
    },
  ],
  open: async (account) => (await import('./discord.ts')).openDiscord(account),
});
