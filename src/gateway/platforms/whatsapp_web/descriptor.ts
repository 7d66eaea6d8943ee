import type { PlatformAccount, PlatformDescriptor, PlatformSettings } from '../platform.ts';
import { textLimit } from './text-limit.ts';

export const whatsAppWebSettings = {
  deviceName: {
    kind: 'text',
    default: 'Hermes',
    description: 'How the agent is called among the linked devices of the phone.',
  },
  selfChat: {
    kind: 'flag',
    default: false,
    description: "Answers what the owner of the number writes to themselves, for an agent on one's own number.",
  },
  version: {
    kind: 'text',
    default: null,
    description: 'Version of WhatsApp Web to present, as 2.3000.1043857760, where WhatsApp refuses the built-in one.',
  },
  url: {
    kind: 'url',
    default: null,
    description: 'Address of the WhatsApp Web socket instead of https://web.whatsapp.com/ws/chat.',
  },
  mediaUrl: {
    kind: 'url',
    default: null,
    description: 'Address files are sent to and read from instead of the hosts WhatsApp names.',
  },
} as const satisfies PlatformSettings;

export type WhatsAppWebSettings = typeof whatsAppWebSettings;

/** A phone number's WhatsApp, as a linked device like WhatsApp Web; paired with a QR code, without a business account. */
export const whatsAppWeb: PlatformDescriptor = {
  id: 'whatsapp_web',
  title: 'WhatsApp (linked device)',
  capabilities: {
    text: textLimit,
    dialect: 'whatsapp',
    edits: true,
    paceMs: { chat: 1_000, account: 250 },
    // Business accounts only: a linked device's buttons are not shown by all clients.
    buttons: 0,
    typingMs: 10_000,
    threads: false,
    commands: 'text',
    files: { sendBytes: 100_000_000, receiveBytes: 100_000_000, captionMax: 1024 },
    voiceNotes: true,
    sendsOnce: 'native',
  },
  promptHint:
    'WhatsApp shows bold, italics, strike-through, code, lists and quotes, but no headings, tables or named links. Messages are read on a phone: keep them short.',
  settings: whatsAppWebSettings,
  needs: [],
  setup: [
    {
      text: 'Use a number of its own for the agent: WhatsApp may block numbers that are driven by programs. Have the phone with that number at hand.',
    },
    {
      text: 'Start the gateway. It shows a QR code: on the phone open WhatsApp, Settings, Linked devices, Link a device, and scan it.',
    },
  ],
  pairs: true,
  open: async (account) => {
    const { openWhatsAppWeb } = await import('./whatsapp-web.ts');
    return openWhatsAppWeb(account as PlatformAccount<WhatsAppWebSettings>);
  },
};
