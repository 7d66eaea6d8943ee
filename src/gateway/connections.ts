import type { AccountReport, Accounts, ConfiguredAccount, OpenAccount } from './accounts.ts';
import { KeptConnection, type ConnectionTimes, type ShownCommands } from './kept-connection.ts';
import { commonSettings } from './platforms/common-settings.ts';
import type { PlatformInbox, PlatformLog, WebhookRequest, WebhookResponse } from './platforms/platform.ts';

export interface ConnectionsDeps {
  /** The enabled accounts; asked again and again, so that a change takes effect without a restart. */
  accounts(): readonly ConfiguredAccount[];
  inbox(accountId: string): PlatformInbox;
  /** What waits in the outbox for an account. */
  backlog(accountId: string): { readonly waiting: number; readonly ambiguous: number };
  /** Shown in the platform's own menu, where it has one. */
  readonly commands?: ShownCommands;
  /** What waits for better times can be tried now. */
  onConnected?(accountId: string): void;
  /** What is said of a connection, and may quote its address, passes through it. */
  readonly redact: (text: string) => string;
  readonly log: PlatformLog;
  readonly times?: Partial<ConnectionTimes> & { readonly lookMs?: number };
}

/** Keeps every enabled account connected, each apart from the others. */
export interface Connections extends Accounts {
  start(): void;
  /** Looks at the configuration now; resolves when what was taken out has been closed. */
  refresh(): Promise<void>;
  /** A platform calls. Null: there is no such account, or nobody calls it. */
  webhook(accountId: string, request: WebhookRequest): Promise<WebhookResponse | null>;
  /** Ends all connections. Idempotent. */
  stop(): Promise<void>;
}

export function createConnections(deps: ConnectionsDeps): Connections {
  const kept = new Map<string, KeptConnection>();
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();

  const look = async (): Promise<void> => {
    const wanted = new Map(deps.accounts().map((account) => [account.id, account]));
    const gone = [...kept].filter(
      ([id, one]) => wanted.get(id) === undefined || one.fingerprint !== print(wanted.get(id)),
    );
    await Promise.all(
      gone.map(async ([id, one]) => {
        kept.delete(id);
        await one.stop();
      }),
    );
    for (const [id, account] of wanted) {
      const before = kept.get(id);
      before?.allow(account.conduct);
      if (before !== undefined) continue;
      const one = new KeptConnection(account, { ...deps, inbox: deps.inbox(id), fingerprint: print(account) });
      kept.set(id, one);
      one.start();
    }
  };
  // One look after another: two at once would both open what neither has yet.
  const refresh = (): Promise<void> =>
    (running = running
      .then(look)
      .catch((error: unknown) => deps.log.warn({ error: String(error) }, 'accounts stay as they are')));

  return {
    start: () => {
      void refresh();
      timer ??= setInterval(() => void refresh(), deps.times?.lookMs ?? 2_000);
      timer.unref();
    },
    refresh,
    stop: async () => {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await running;
      await Promise.all([...kept.values()].map((one) => one.stop()));
      kept.clear();
    },
    webhook: (accountId, request) => kept.get(accountId)?.webhook(request) ?? Promise.resolve(null),
    get: (accountId): OpenAccount | undefined => kept.get(accountId)?.open(),
    list: (): readonly AccountReport[] => [...kept].map(([id, one]) => ({ ...one.report(), ...deps.backlog(id) })),
  };
}

/**
 * Everything that makes a connection another one; secrets are compared in memory only. Who may talk there is not part of
 * it: to end a connection for that would put a message that is being sent in doubt.
 */
function print(account: ConfiguredAccount | undefined): string {
  const own = Object.entries(account?.settings ?? {}).filter(([key]) => !Object.hasOwn(commonSettings, key));
  return JSON.stringify(own);
}
