import { onTestFinished } from 'vitest';
import type { Accounts, AccountReport, OpenAccount, OutboxWriter } from '../../../../../src/gateway/accounts.ts';
import { createCommands } from '../../../../../src/gateway/commands/create-commands.ts';
import type { CommandDeps } from '../../../../../src/gateway/commands/deps.ts';
import { createHandOff } from '../../../../../src/gateway/commands/hand-off.ts';
import { createHandoffWatcher } from '../../../../../src/gateway/commands/handoff-watcher.ts';
import { createHomeOf } from '../../../../../src/gateway/commands/homes.ts';
import { createLinks } from '../../../../../src/gateway/commands/links.ts';
import { speakerMaker } from '../../../../../src/gateway/inbound/make-speaker.ts';
import type { Speaker } from '../../../../../src/gateway/inbound/speaker.ts';
import { Refusal } from '../../../../../src/gateway/refusal.ts';
import type { PlatformUser } from '../../../../../src/store/platform-ports.ts';
import { openGateway } from '../../support/gateway.ts';

export interface Somebody {
  readonly account?: string;
  readonly userId?: string;
  readonly personId?: string;
  readonly isAdmin?: boolean;
  readonly group?: string;
}

/** People in chats in front of the real commands, on a real store, with scripted workflows. */
export async function openChats(options: Partial<CommandDeps> & { accounts?: never } = {}) {
  const gateway = await openGateway();
  const { store, bus, relay, log, conversations } = gateway;
  const enabled = new Map<string, OpenAccount>();
  for (const id of ['telegram', 'slack', 'slack/work']) enabled.set(id, openAccount(id));
  const accounts: Accounts = {
    get: (id) => enabled.get(id),
    list: () => [...enabled.keys()].map(reportOf),
  };
  const outbox: OutboxWriter = {
    enqueue: async ({ key, to, text, conversationId }) => {
      await store.outbox.enqueue({ id: key, kind: 'text', to, text, conversationId });
    },
  };
  const clock = { ms: Date.parse('2026-11-22T12:00:00Z') };
  let scope: 'person' | 'platform' = 'person';
  const deps: CommandDeps = {
    store,
    bus,
    relay,
    log,
    outbox,
    client: conversations,
    accounts: () => accounts,
    conversationScope: () => scope,
    canSpeak: () => true,
    status: () => Promise.reject(new Error('nobody asks for the status')),
    listModels: () => Promise.resolve({ current: 'test:small', models: [{ id: 'test:large', contextTokens: 1000 }] }),
    defaultBusyMode: () => 'steer',
    redact: (text) => text.replaceAll('hunter2', '[secret]'),
    now: () => clock.ms,
    ...options,
  };
  const run = createCommands(deps);
  const makeSpeaker = speakerMaker({ store, scope: () => scope });
  let keys = 0;

  const speaker = async (who: Somebody = {}): Promise<Speaker> => {
    const account = who.account ?? 'telegram';
    const userId = who.userId ?? 'u1';
    const known = await store.platformUsers.get(account, userId);
    const user: PlatformUser = known ?? {
      account,
      userId,
      personId: who.personId ?? 'anna',
      role: 'user',
      via: 'pairing',
      name: `name of ${userId}`,
      directChat: `chat-${userId}`,
      since: new Date(clock.ms).toISOString(),
    };
    if (known === null) await store.platformUsers.put(user);
    const chat =
      who.group === undefined
        ? ({ id: `chat-${userId}`, kind: 'direct' } as const)
        : ({ id: who.group, kind: 'group', thread: '7' } as const);
    const personId = who.group === undefined ? user.personId : `group:${account}:${who.group}`;
    return makeSpeaker(account, chat, { kind: 'let-in', user, personId, isAdmin: who.isAdmin ?? false });
  };
  const give = async (line: string, who: Somebody = {}, key = `telegram:key/${String(++keys)}`) => {
    const [, name = '', args = ''] = /^\/(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
    return run({ key, name, args, speaker: await speaker(who) });
  };
  /** The text of a command, or the words of its refusal. */
  const told = async (line: string, who: Somebody = {}, key?: string): Promise<string> => {
    try {
      return (await give(line, who, key)).text;
    } catch (error) {
      if (error instanceof Refusal) return `refused: ${error.message}`;
      throw error;
    }
  };
  const watch = () => {
    const watcher = createHandoffWatcher({ ...deps, intervalMs: 10 });
    onTestFinished(() => watcher.stop());
    watcher.start();
    return watcher;
  };
  return {
    ...gateway,
    enabled,
    clock,
    run,
    give,
    told,
    speaker,
    watch,
    useScope: (wanted: 'person' | 'platform') => {
      scope = wanted;
    },
    links: createLinks(deps),
    handOff: createHandOff(deps),
    homeOf: createHomeOf({ store: deps.store, configuredHome: (id) => openAccount(id).conduct.home }),
  };
}

/** Of an account only what commands look at: its capabilities and its configured home. */
function openAccount(id: string): OpenAccount {
  return {
    id,
    descriptor: { capabilities: { voiceNotes: id === 'telegram' } },
    conduct: { owner: [], allow: [], admins: [], groups: [], strangers: 'pair', home: id === 'slack' ? 'C9' : null },
  } as unknown as OpenAccount;
}

function reportOf(id: string): AccountReport {
  return { id, platform: id.split('/')[0] ?? id, state: 'connected', waiting: 0, ambiguous: 0 } as AccountReport;
}
