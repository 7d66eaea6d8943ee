import type {
  Answer,
  ApprovalList,
  ApprovalView,
  ConfigureBody,
  ConversationList,
  ConversationView,
  CreateConversationBody,
  DecideBody,
  HandoffRequest,
  HandoffResponse,
  InterruptResponse,
  MessageList,
  ModelList,
  PromptSize,
  SearchResponse,
  Status,
  SubmitRequest,
  SubmitResponse,
  UndoResponse,
  UsageResponse,
} from '../../contracts/api.ts';
import type {
  BackendReport,
  CopyRequest,
  CopyResponse,
  EnvironmentView,
  Lease,
  LeaseRequest,
} from '../../contracts/api-environments.ts';
import type { AccountView, OutboxView, PairingView, SendRequest, SendResponse } from '../../contracts/api-gateway.ts';
import type { Repeat, ServiceLink } from './link.ts';
import type { Call } from './exchange.ts';

interface Ask {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The service's API as typed calls. Every one waits for a service that is away and then goes on, as `ServiceLink` says;
 * all reject with ApiRequestError for an answer that is an error.
 */
export class HermesClient {
  readonly link: ServiceLink;

  constructor(link: ServiceLink) {
    this.link = link;
  }

  /** Repeated with the same `inboundId` until answered, which changes nothing after the first. */
  submit(message: SubmitRequest, ask: Ask = {}): Promise<SubmitResponse> {
    return this.call('POST', '/api/messages', { body: message, ...ask });
  }

  /** Waits at the service for at most `waitMs`, with `through` also while a person must decide something. */
  answer(inboundId: string, waitMs: number, ask: Ask & { through?: boolean } = {}): Promise<Answer> {
    const waitFor = ask.through === true ? 'done' : 'waiting';
    const path = `/api/messages/${encodeURIComponent(inboundId)}/answer${query({ waitMs, waitFor })}`;
    return this.call('GET', path, { silenceMs: waitMs + 15_000, signal: ask.signal });
  }

  async conversations(page: { limit: number; before?: string }): Promise<readonly ConversationView[]> {
    const list = await this.call<ConversationList>('GET', `/api/conversations${query({ ...page })}`);
    return list.conversations;
  }

  conversation(idOrName: string): Promise<ConversationView> {
    return this.call('GET', conversationPath(idOrName));
  }

  create(body: CreateConversationBody): Promise<ConversationView> {
    return this.call('POST', '/api/conversations', { body }, 'never');
  }

  configure(idOrName: string, body: ConfigureBody): Promise<ConversationView> {
    return this.call('PATCH', conversationPath(idOrName), { body });
  }

  async delete(idOrName: string): Promise<void> {
    await this.call('DELETE', conversationPath(idOrName));
  }

  async messages(idOrName: string, page: { limit: number; beforeId?: number }): Promise<MessageList['messages']> {
    const path = `${conversationPath(idOrName)}/messages${query({ ...page })}`;
    return (await this.call<MessageList>('GET', path)).messages;
  }

  /** The whole conversation as a document. */
  export(idOrName: string, format: 'md' | 'json'): Promise<string> {
    return this.link.text({ method: 'GET', path: `${conversationPath(idOrName)}/export?format=${format}` });
  }

  interrupt(idOrName: string, ask: Ask = {}): Promise<InterruptResponse> {
    return this.call('POST', `${conversationPath(idOrName)}/interrupt`, { body: {}, ...ask });
  }

  undo(idOrName: string): Promise<UndoResponse> {
    return this.call('POST', `${conversationPath(idOrName)}/undo`, { body: {} }, 'never');
  }

  retry(idOrName: string): Promise<SubmitResponse> {
    return this.call('POST', `${conversationPath(idOrName)}/retry`, { body: {} }, 'never');
  }

  /** Makes it the person's current conversation. */
  resume(idOrName: string): Promise<ConversationView> {
    return this.call('POST', `${conversationPath(idOrName)}/resume`, { body: {} });
  }

  /** Repeated with the same key until answered, which tells the other chat once. */
  handOff(idOrName: string, body: HandoffRequest): Promise<HandoffResponse> {
    return this.call('POST', `${conversationPath(idOrName)}/handoff`, { body });
  }

  async search(words: string, limit: number): Promise<SearchResponse['hits']> {
    return (await this.call<SearchResponse>('GET', `/api/search${query({ q: words, limit })}`)).hits;
  }

  async approvals(filter: { state?: string; conversationId?: string } = {}): Promise<readonly ApprovalView[]> {
    return (await this.call<ApprovalList>('GET', `/api/approvals${query({ ...filter })}`)).approvals;
  }

  decide(approvalId: string, body: DecideBody): Promise<ApprovalView> {
    return this.call('POST', `/api/approvals/${encodeURIComponent(approvalId)}`, { body });
  }

  status(): Promise<Status> {
    return this.call('GET', '/api/status');
  }

  async usage(days: number): Promise<UsageResponse['days']> {
    return (await this.call<UsageResponse>('GET', `/api/usage${query({ days })}`)).days;
  }

  models(): Promise<ModelList> {
    return this.call('GET', '/api/models');
  }

  prompt(): Promise<PromptSize> {
    return this.call('GET', '/api/prompt');
  }

  async backends(): Promise<readonly BackendReport[]> {
    const list = await this.call<{ backends: BackendReport[] }>('GET', '/api/backends', { silenceMs: 60_000 });
    return list.backends;
  }

  async environments(): Promise<readonly EnvironmentView[]> {
    return (await this.call<{ environments: EnvironmentView[] }>('GET', '/api/environments')).environments;
  }

  environment(id: string): Promise<EnvironmentView> {
    return this.call('GET', environmentPath(id));
  }

  /** Answers when it is done; making an environment may mean fetching an image first. */
  changeEnvironment(id: string, what: 'wake' | 'hibernate' | 'reset'): Promise<EnvironmentView> {
    const repeat = what === 'reset' ? 'never' : 'harmless';
    return this.call('POST', environmentPath(id), { body: { what }, silenceMs: longChangeMs }, repeat);
  }

  leaseEnvironment(id: string, body: LeaseRequest): Promise<Lease> {
    return this.call('PUT', `${environmentPath(id)}/lease`, { body, silenceMs: longChangeMs });
  }

  async releaseEnvironment(id: string, holder: string): Promise<void> {
    await this.call('DELETE', `${environmentPath(id)}/lease/${encodeURIComponent(holder)}`);
  }

  copyEnvironment(body: CopyRequest): Promise<CopyResponse> {
    return this.call('POST', '/api/environments/copy', { body, silenceMs: longChangeMs });
  }

  platformAccounts(): Promise<{ running: boolean; accounts: AccountView[] }> {
    return this.call('GET', '/api/gateway/accounts');
  }

  async pairings(): Promise<readonly PairingView[]> {
    return (await this.call<{ pairings: PairingView[] }>('GET', '/api/gateway/pairings')).pairings;
  }

  /** Never repeated by itself: a wrong code counts. */
  approvePairing(body: { code: string; me: boolean; admin: boolean }): Promise<PairingView> {
    return this.call('POST', '/api/gateway/pairings/approve', { body }, 'never');
  }

  async revokePairing(account: string, userId: string): Promise<boolean> {
    const body = { account, userId };
    return (await this.call<{ revoked: boolean }>('POST', '/api/gateway/pairings/revoke', { body })).revoked;
  }

  async outbox(): Promise<readonly OutboxView[]> {
    return (await this.call<{ messages: OutboxView[] }>('GET', '/api/gateway/outbox')).messages;
  }

  async changeOutbox(id: string, what: 'retry' | 'drop'): Promise<void> {
    await this.call('POST', '/api/gateway/outbox', { body: { id, what } });
  }

  /** Repeated with the same key until answered, which sends it once. */
  send(body: SendRequest): Promise<SendResponse> {
    return this.call('POST', '/api/gateway/send', { body, silenceMs: body.waitMs + 30_000 });
  }

  close(): void {
    this.link.close();
  }

  private call<T>(
    method: Call['method'],
    path: string,
    more: { body?: unknown; silenceMs?: number; signal?: AbortSignal | undefined } = {},
    repeat: Repeat = 'harmless',
  ): Promise<T> {
    const { signal, ...rest } = more;
    return this.link.json<T>({ method, path, ...rest, ...(signal === undefined ? {} : { signal }) }, repeat);
  }
}

const longChangeMs = 3_600_000;

function environmentPath(id: string): string {
  return `/api/environments/${encodeURIComponent(id)}`;
}

export function conversationPath(idOrName: string): string {
  return `/api/conversations/${encodeURIComponent(idOrName)}`;
}

function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) parameters.set(name, String(value));
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}
