import { definePlatform } from '../define-platform.ts';
import type { PlatformSettings } from '../platform.ts';
import { longestSection, longestText } from './limits.ts';

const settings = {
  botToken: { kind: 'secret', description: "The app's bot token, xoxb-….", env: 'SLACK_BOT_TOKEN' },
  appToken: {
    kind: 'secret',
    description: "The app's own token, xapp-…, with connections:write; for mode socket.",
    env: 'SLACK_APP_TOKEN',
  },
  signingSecret: {
    kind: 'secret',
    description: 'What Slack signs its requests with; for mode http.',
    env: 'SLACK_SIGNING_SECRET',
  },
  mode: {
    kind: 'choice',
    choices: ['socket', 'http'],
    default: 'socket',
    description: 'socket: a connection from here to Slack; http: Slack calls the webhook of this account.',
  },
  command: {
    kind: 'text',
    default: 'hermes',
    description: 'The slash command of the app; its first word is the command, as in /hermes new.',
  },
  apiUrl: { kind: 'url', default: 'https://slack.com/api/', description: 'Address of the Web API.' },
} as const satisfies PlatformSettings;

export type SlackSettings = typeof settings;

export const slack = definePlatform<SlackSettings>({
  id: 'slack',
  title: 'Slack',
  capabilities: {
    text: { max: longestText, unit: 'utf16' },
    dialect: 'slack-mrkdwn',
    edits: true,
    paceMs: { chat: 1200, account: 100 },
    buttons: 25,
    typingMs: null,
    threads: true,
    commands: 'text',
    files: { sendBytes: 1_000_000_000, receiveBytes: 1_000_000_000, captionMax: longestSection },
    voiceNotes: false,
    sendsOnce: 'reconcile',
  },
  promptHint:
    'You are talking over Slack. Bold, italics, lists, links and code are shown; tables are not, and headings become bold lines.',
  settings,
  needs: ['botToken'],
  setup: [
    {
      text: 'Make an app at https://api.slack.com/apps ("From scratch"). Under "OAuth & Permissions" give the bot: app_mentions:read, chat:write, commands, files:read, files:write, im:history, im:read, im:write, channels:history, groups:history, mpim:history, users:read. Install it into the workspace and copy the bot token.',
      setting: 'botToken',
    },
    {
      text: 'Switch "Socket Mode" on and make an app-level token with connections:write.',
      setting: 'appToken',
    },
    {
      text: 'Under "Event Subscriptions" add the bot events app_mention, message.im, message.channels, message.groups, message.mpim, channel_left, group_left; under "App Home" allow messages to the app; switch "Interactivity" on; add the slash command /hermes.',
    },
    {
      text: 'Only where Slack is to call this service (mode http) in place of Socket Mode: set gateway.publicUrl, give Slack <publicUrl>/webhooks/slack as the request URL of events, interactivity and the command, and copy the signing secret of "Basic Information".',
      setting: 'signingSecret',
    },
  ],
  open: async (account) => (await import('./slack.ts')).openSlack(account),
});
