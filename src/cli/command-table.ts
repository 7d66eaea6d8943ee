import type { Command } from 'commander';

/** What every file in commands/ exports. */
export interface CommandModule {
  command(): Command;
}

export interface CommandEntry {
  readonly group: 'Talk' | 'Look' | 'Service' | 'Set up';
  readonly summary: string;
  /** Only the command that is asked for is loaded. */
  readonly load: () => Promise<CommandModule>;
}

export const commandTable: Readonly<Record<string, CommandEntry>> = {
  chat: { group: 'Talk', summary: 'talk with the agent (the default)', load: () => import('./commands/chat.ts') },
  send: { group: 'Talk', summary: 'a message to a chat, without the agent', load: () => import('./commands/send.ts') },
  approvals: {
    group: 'Talk',
    summary: 'decide what waits for you: list, approve, deny, answer',
    load: () => import('./commands/approvals.ts'),
  },
  conversations: {
    group: 'Look',
    summary: 'list, show, search, export, delete',
    load: () => import('./commands/conversations.ts'),
  },
  usage: { group: 'Look', summary: 'tokens and money per day', load: () => import('./commands/usage.ts') },
  prompt: {
    group: 'Look',
    summary: 'the fixed part of every prompt, and its size',
    load: () => import('./commands/prompt.ts'),
  },
  backend: {
    group: 'Look',
    summary: 'where commands run: list, status, wake, hibernate, shell, reset, copy',
    load: () => import('./commands/backend.ts'),
  },
  gateway: {
    group: 'Service',
    summary: 'chat platforms: setup, platforms, start, stop, pairing, outbox',
    load: () => import('./commands/gateway.ts'),
  },
  up: { group: 'Service', summary: 'start the service', load: () => import('./commands/up.ts') },
  down: { group: 'Service', summary: 'stop it', load: () => import('./commands/down.ts') },
  restart: { group: 'Service', summary: 'stop and start it', load: () => import('./commands/restart.ts') },
  status: { group: 'Service', summary: 'what runs, and where', load: () => import('./commands/status.ts') },
  logs: { group: 'Service', summary: 'what the parts write down', load: () => import('./commands/logs.ts') },
  doctor: { group: 'Service', summary: 'check every part for real', load: () => import('./commands/doctor.ts') },
  worker: { group: 'Service', summary: 'run a worker alone', load: () => import('./commands/worker.ts') },
  backup: { group: 'Service', summary: 'copy the data aside', load: () => import('./commands/backup.ts') },
  restore: { group: 'Service', summary: 'bring a copy back', load: () => import('./commands/restore.ts') },
  setup: { group: 'Set up', summary: 'a short wizard', load: () => import('./commands/setup.ts') },
  model: { group: 'Set up', summary: 'choose the model', load: () => import('./commands/model.ts') },
  config: {
    group: 'Set up',
    summary: 'get, set, unset, list, path, edit',
    load: () => import('./commands/config.ts'),
  },
  completion: {
    group: 'Set up',
    summary: 'completion for bash, zsh or fish',
    load: async () => {
      const { command } = await import('./commands/completion.ts');
      return { command: () => command(commandTable) };
    },
  },
};

/** The overall help; made from the table, so that it needs nothing to be loaded. */
export function overallHelp(): string {
  const groups = ['Talk', 'Look', 'Service', 'Set up'] as const;
  const sections = groups.map((group) => {
    const rows = Object.entries(commandTable).filter(([, entry]) => entry.group === group);
    return `${group}\n${rows.map(([name, entry]) => `  ${name.padEnd(15)}${entry.summary}`).join('\n')}`;
  });
  return `Usage: hermes [command] [options]

  hermes                     chat; without a terminal: answers the lines of standard input
  hermes -z "prompt"         one answer on standard output

${sections.join('\n\n')}

Options
  -z, --prompt TEXT          ask once; - reads standard input
  -c, --conversation NAME    the conversation to go on with (made if new)
  -m, --model PROVIDER:NAME  the model of the conversation from now on
      --json                 with -z: one JSON object instead of text
      --no-wait              with -z: exit 3 instead of waiting for an approval
  -V, --version              the version
  -h, --help                 this; hermes COMMAND --help says more

The home folder is HERMES_HOME, ~/.hermes by default.
`;
}
