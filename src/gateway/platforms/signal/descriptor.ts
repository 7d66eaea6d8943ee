import type { PlatformAccount, PlatformDescriptor, PlatformSettings } from '../platform.ts';
import { capabilities } from './capabilities.ts';

const settings = {
  url: {
    kind: 'url',
    default: 'http://127.0.0.1:8080',
    description: 'Address of the signal-cli daemon. It asks nobody who they are: only this machine may reach it.',
  },
  account: {
    kind: 'text',
    default: null,
    description: 'Phone number of the account in signal-cli, with + and country code; or its account id.',
    env: 'SIGNAL_ACCOUNT',
  },
  noteToSelf: {
    kind: 'flag',
    default: false,
    description: "Answers in the account's own Note to Self, for an account shared with its owner's phone.",
  },
} as const satisfies PlatformSettings;

export type SignalSettings = typeof settings;

export const signal: PlatformDescriptor = {
  id: 'signal',
  title: 'Signal',
  capabilities,
  promptHint:
    'Signal shows bold, italic, strikethrough and monospace; no headings, tables or links with a label. Choices are typed.',
  settings,
  needs: ['account'] satisfies readonly (keyof SignalSettings)[],
  setup: [
    { text: 'Install signal-cli 0.13 or later (https://github.com/AsamK/signal-cli); it needs Java 21.' },
    {
      text: 'Give it an account: `signal-cli link -n hermes` shows a code for the phone (Settings, Linked devices), or `signal-cli -a +NUMBER register` takes a number of its own. Which number is it?',
      setting: 'account',
    },
    {
      text: 'Start the daemon: `signal-cli daemon --http 127.0.0.1:8080 --receive-mode on-connection --no-receive-stdout`. With its default receive mode it throws away what arrives while nobody listens. Under which address does it answer?',
      setting: 'url',
    },
  ],
  // The settings are made from the ones above.
  open: async (account) => (await import('./signal.ts')).openSignal(account as PlatformAccount<SignalSettings>),
};
