import type { PlatformAccount, PlatformDescriptor, PlatformSettings } from '../platform.ts';

const settings = {
  accessToken: {
    kind: 'secret',
    description: 'Token of a system user with whatsapp_business_messaging and whatsapp_business_management.',
    env: 'WHATSAPP_ACCESS_TOKEN',
  },
  phoneNumberId: {
    kind: 'text',
    default: null,
    description: 'Id of the phone number, from the page "API Setup"; not the number itself.',
    env: 'WHATSAPP_PHONE_NUMBER_ID',
  },
  appSecret: {
    kind: 'secret',
    description: "The app's secret, with which WhatsApp signs what it calls the webhook with.",
    env: 'WHATSAPP_APP_SECRET',
  },
  verifyToken: {
    kind: 'secret',
    description: 'Any word of your own; the same is typed where the webhook is set up.',
    env: 'WHATSAPP_VERIFY_TOKEN',
  },
  apiUrl: {
    kind: 'url',
    default: 'https://graph.facebook.com/v23.0',
    description: 'Address of the Graph API with its version.',
  },
} as const satisfies PlatformSettings;

export type WhatsAppSettings = typeof settings;

/** WhatsApp through the Cloud API of Meta, for a business number. */
export const whatsapp: PlatformDescriptor = {
  id: 'whatsapp',
  title: 'WhatsApp (Cloud API)',
  capabilities: {
    text: { max: 4096, unit: 'utf16' },
    dialect: 'whatsapp',
    edits: false,
    // One message in six seconds to one person for long; bursts are allowed and paid for later.
    paceMs: { chat: 1000, account: 20 },
    // Three as buttons below the message, more as a list.
    buttons: 10,
    typingMs: 20_000,
    threads: false,
    commands: 'text',
    files: { sendBytes: 100_000_000, receiveBytes: 100_000_000, captionMax: 1024 },
    voiceNotes: true,
    sendsOnce: 'reconcile',
  },
  promptHint:
    'WhatsApp shows bold, italic, strikethrough, lists, quotes and code; no headings, tables or links with a label. Messages are read on a phone, so keep them short.',
  settings,
  needs: ['accessToken', 'phoneNumberId', 'appSecret', 'verifyToken'] satisfies readonly (keyof WhatsAppSettings)[],
  setup: [
    {
      text: 'At https://developers.facebook.com make an app with the use case "Connect with customers through WhatsApp", and under "API Setup" choose or add a phone number. What is its phone number id?',
      setting: 'phoneNumberId',
    },
    {
      text: 'In the business settings add a system user, give it the app and the WhatsApp account, and generate a token that does not expire with whatsapp_business_messaging and whatsapp_business_management.',
      setting: 'accessToken',
    },
    { text: 'Copy the app secret from "App settings", "Basic".', setting: 'appSecret' },
    { text: 'Think of a word with which WhatsApp proves itself when it first calls.', setting: 'verifyToken' },
    {
      text: 'Under "Configuration" give <publicUrl>/webhooks/whatsapp as callback URL with that word, and subscribe to the field "messages". WhatsApp must reach the API of this service there, for instance through a tunnel: its address is gateway.publicUrl.',
    },
  ],
  // The settings are made from the ones above.
  open: async (account) => (await import('./whatsapp.ts')).openWhatsApp(account as PlatformAccount<WhatsAppSettings>),
};
