import type { PlatformSettings } from './platform.ts';

/** Keys every platform has. */
export const commonSettings = {
  enabled: { kind: 'flag', default: false, description: 'Whether this account is connected.' },
  owner: {
    kind: 'list',
    default: [],
    description:
      'Your own user ids there: they share memory and conversation with the terminal. Pairing with --me does the same.',
  },
  allow: {
    kind: 'list',
    default: [],
    description:
      "Other people who may talk to the agent without pairing, by the platform's own user ids; each has memory and conversations of their own.",
  },
  admins: {
    kind: 'list',
    default: [],
    description: 'People who may use commands that change the agent itself, beside its owner.',
  },
  groups: {
    kind: 'list',
    default: [],
    description: 'Groups in which the agent answers when it is mentioned or replied to, by their ids; * for all.',
  },
  strangers: {
    kind: 'choice',
    choices: ['pair', 'ignore'],
    default: 'pair',
    description: 'What a person unknown here gets: a pairing code, or nothing.',
  },
  home: { kind: 'text', default: null, description: 'Chat that "home" means: reminders and notices go there.' },
} as const satisfies PlatformSettings;
