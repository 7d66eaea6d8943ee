import type { AccountView, OutboxView, PairingView, SendRequest, SendResponse } from '../contracts/api-gateway.ts';
import type { WebhookRequest, WebhookResponse } from './platforms/platform.ts';

/** The chat platforms as the API shows and changes them. Rejects with a Refusal for what makes no sense. */
export interface PlatformControl {
  accounts(): { readonly running: boolean; readonly accounts: readonly AccountView[] };
  pairings(): Promise<readonly PairingView[]>;
  approve(request: { code: string; me: boolean; admin: boolean }): Promise<PairingView>;
  /** False when there was nothing to take back. */
  revoke(account: string, userId: string): Promise<boolean>;
  /** Messages that are ambiguous or failed. */
  outbox(): Promise<readonly OutboxView[]>;
  changeOutbox(id: string, what: 'retry' | 'drop'): Promise<void>;
  /** Sends without waking the agent. Idempotent by key. */
  send(request: SendRequest): Promise<SendResponse>;
  /** A platform calls. Null: no such account, or it is called by nobody. */
  webhook(accountId: string, request: WebhookRequest): Promise<WebhookResponse | null>;
}
