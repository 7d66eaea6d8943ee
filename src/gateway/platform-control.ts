import { setTimeout as sleep } from 'node:timers/promises';
import type { AccountView, OutboxView, PairingView, SendRequest, SendResponse } from '../contracts/api-gateway.ts';
import type { OutboxRow } from '../store/outbox-ports.ts';
import type { Connections } from './connections.ts';
import type { Pairing } from './inbound/pairing.ts';
import type { Outbound } from './outbound/outbound.ts';
import type { WebhookRequest, WebhookResponse } from './platforms/platform.ts';
import { Refusal } from './refusal.ts';

/** The chat platforms as the API shows and changes them. Rejects with a Refusal for what makes no sense. */
export interface PlatformControl {
  accounts(): { readonly running: boolean; readonly accounts: readonly AccountView[] };
  pairings(): Promise<readonly PairingView[]>;
  approve(request: { code: string; me: boolean; admin: boolean }): Promise<PairingView>;
  /** False when there was nothing to take back. */
  revoke(account: string, userId: string): Promise<boolean>;
  /** Messages that are ambiguous or failed, newest first. */
  outbox(): Promise<readonly OutboxView[]>;
  changeOutbox(id: string, what: 'retry' | 'drop'): Promise<void>;
  /** Sends without waking the agent, and waits for what becomes of it. Idempotent by key. */
  send(request: SendRequest): Promise<SendResponse>;
  /** A platform calls. Null: no such account, or it is called by nobody. */
  webhook(accountId: string, request: WebhookRequest): Promise<WebhookResponse | null>;
}

export interface PlatformControlDeps {
  readonly connections: Connections;
  readonly pairing: Pairing;
  readonly outbound: Outbound;
  /** `gateway.enabled`. */
  isRunning(): boolean;
}

const shownProblems = 200;
const shownChars = 80;
const lookMs = 50;

export function createPlatformControl(deps: PlatformControlDeps): PlatformControl {
  const { connections, pairing, outbound } = deps;
  return {
    accounts: () => ({ running: deps.isRunning(), accounts: connections.list() }),
    pairings: () => pairing.list(),
    approve: ({ code, me, admin }) => pairing.approve(code, { me, admin }),
    revoke: (account, userId) => pairing.revoke(account, userId),
    outbox: async () => (await outbound.problems(shownProblems)).map(viewOf),
    changeOutbox: async (id, what) => {
      const done = what === 'retry' ? await outbound.retry(id) : await outbound.drop(id);
      if (!done) throw new Refusal('Api.NotFound', `There is no such message to ${what}.`, { param: 'id' });
    },
    send: async ({ key, to, text, files, waitMs }) => {
      if (text.trim() === '' && files.length === 0) {
        throw new Refusal('Api.Invalid', 'There is nothing to send.', { param: 'text' });
      }
      const ids = await outbound.sendDirect({
        key,
        to,
        text,
        files: files.map(({ name, mediaType, base64 }) => ({ name, mediaType, bytes: Buffer.from(base64, 'base64') })),
      });
      const isOff = (account: string): boolean => connections.list().every(({ id }) => id !== account);
      return settled(outbound, ids, { waitMs, isOff });
    },
    webhook: (accountId, request) => connections.webhook(accountId, request),
  };
}

/** What became of messages within a time; the worst of them counts. */
async function settled(
  outbound: Outbound,
  ids: readonly string[],
  { waitMs, isOff }: { readonly waitMs: number; readonly isOff: (account: string) => boolean },
): Promise<SendResponse> {
  const until = Date.now() + waitMs;
  for (;;) {
    const rows = (await Promise.all(ids.map((id) => outbound.get(id)))).filter((row) => row !== null);
    const states = new Set(rows.map(({ state }) => state));
    const detail = rows.find(({ error }) => error !== null)?.error ?? '';
    if (states.has('failed')) return { state: 'failed', detail };
    if (states.has('dropped')) return { state: 'failed', detail: 'it was taken out of the way' };
    if (!states.has('new') && !states.has('sending')) {
      return { state: states.has('ambiguous') ? 'ambiguous' : 'sent', detail };
    }
    const off = rows.find(({ to }) => isOff(to.platform))?.to.platform;
    if (off !== undefined)
      return { state: 'waiting', detail: `${off} is switched off; it goes when that is on again.` };
    if (Date.now() >= until) return { state: 'waiting', detail };
    await sleep(lookMs);
  }
}

function viewOf({ id, to, state, text, file, error, createdAt }: OutboxRow): OutboxView {
  const words = (text.trim() === '' ? (file?.name ?? '') : text).replace(/\s+/gu, ' ').trim();
  const shown = words.length > shownChars ? `${words.slice(0, shownChars - 1)}…` : words;
  const chat = to.thread === undefined ? to.chat : `${to.chat}:${to.thread}`;
  return { id, account: to.platform, chat, state, text: shown, error, createdAt };
}
