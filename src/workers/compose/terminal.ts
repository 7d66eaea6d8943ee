import type { OpenedTerminal, TerminalAccess, TerminalCall } from '../../activities/deps.ts';
import type { Backend, EnvironmentHandle, TerminalSession } from '../../backends/backend.ts';
import type { Config } from '../../config/schema.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { EnvironmentClient, EnvironmentRef } from '../../gateway/environment-client.ts';
import { PortError } from '../../lib/port-error.ts';
import type { TerminalUse } from '../../store/environment-ports.ts';
import type { Store } from '../../store/ports.ts';
import type { Core } from '../core.ts';
import type { Backends } from './backends.ts';
import { createLeases } from './leases.ts';
import { isUnreachable, watchSession } from './watch-session.ts';

/** The environments commands run in. */
export interface Terminals extends TerminalAccess {
  /** Forgets old runs now and once a day, until the signal aborts. Never throws; what goes wrong is logged. */
  keepClean(until: AbortSignal): void;
  /** Ends what runs in the background. */
  close(): void;
}

export interface TerminalsParts {
  readonly core: Pick<Core, 'source' | 'log'>;
  readonly store: Pick<Store, 'environments' | 'terminalUses'>;
  readonly backends: Backends;
  readonly environments: EnvironmentClient;
  readonly leaseMs?: number;
}

const dayMs = 24 * 60 * 60 * 1_000;
/** How long a command's output can still be read; what the model has read of it stays in the transcript. */
const keepRunsMs = 7 * dayMs;
/** Conversations whose turn's environment is remembered; the store knows the others. */
const rememberedTurns = 500;

/** Id of the environment a conversation's commands run in on a backend. */
export function environmentIdOf(
  who: { readonly conversationId: string; readonly personId: string },
  terminal: Pick<Config['terminal'], 'scope'>,
  backend: string,
): string {
  return `${terminal.scope === 'conversation' ? who.conversationId : who.personId}.${backend}`;
}

export function createTerminals(parts: TerminalsParts): Terminals {
  return new ComposedTerminals(parts);
}

interface TurnUse {
  readonly turn: number;
  readonly use: Promise<TerminalUse>;
  /** The call that says where it runs now. */
  toldBy: string | null;
}

class ComposedTerminals implements Terminals {
  private readonly parts: TerminalsParts;
  private readonly leases;
  private readonly turns = new Map<string, TurnUse>();
  private readonly directHandles = new Map<string, Promise<EnvironmentHandle>>();
  /** What each call has taken hold of. */
  private readonly held = new Map<string, EnvironmentRef[]>();

  constructor(parts: TerminalsParts) {
    this.parts = parts;
    const { environments: client, core, leaseMs } = parts;
    this.leases = createLeases({ client, log: core.log, ...(leaseMs === undefined ? {} : { leaseMs }) });
  }

  async open(call: TerminalCall): Promise<OpenedTerminal> {
    const turn = this.turnOf(call);
    const use = await turn.use;
    const backend = await this.parts.backends.of(use.backend);
    const session = backend.hibernates
      ? await this.openLeased(backend, call, refOf(call, use))
      : await this.openDirect(backend, use.environmentId);
    const notice = noticeOf(turn, use, call);
    return { session, ...(notice === undefined ? {} : { notice }) };
  }

  leave(call: TerminalCall): void {
    const held = this.held.get(call.callKey) ?? [];
    this.held.delete(call.callKey);
    for (const environment of held) this.leases.leave(environment, holderOf(call));
  }

  endTurn(turn: { readonly conversationId: string; readonly turn: number }): void {
    this.leases.end(holderOf(turn));
    if (this.turns.get(turn.conversationId)?.turn === turn.turn) this.turns.delete(turn.conversationId);
  }

  async resolveQuestion(call: TerminalCall, details: Readonly<Record<string, JsonValue>>): Promise<void> {
    const use = await this.turnOf(call).use;
    const { ask, generation } = details;
    if (ask === 'recreate-environment') {
      await this.parts.environments.change(refOf(call, use), {
        what: 'reset',
        // Somebody else may have been asked the same and have said yes before.
        ...(typeof generation === 'number' ? { ifGeneration: generation } : {}),
      });
      return;
    }
    const backend = await this.parts.backends.of(use.backend);
    if (ask !== 'trust-host-key' || !trustsHostKeys(backend)) {
      throw new PortError('Internal.Invariant', `Nobody knows how to carry out ${JSON.stringify(ask)}.`, {
        retryable: false,
      });
    }
    const { host, port, fingerprint } = details;
    if (typeof host !== 'string' || typeof port !== 'number' || typeof fingerprint !== 'string') {
      throw new PortError('Internal.Invariant', 'The question about a host key names no key.', { retryable: false });
    }
    await backend.trustHostKey({ host, port, fingerprint });
  }

  keepClean(until: AbortSignal): void {
    if (until.aborted) return;
    void this.sweep();
    const timer = setInterval(() => void this.sweep(), dayMs);
    timer.unref();
    until.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  close(): void {
    this.leases.close();
  }

  /** Where the turn's commands run: decided by its first call, so that a turn never moves in its middle. */
  private turnOf(call: TerminalCall): TurnUse {
    const { conversationId, turn } = call;
    const known = this.turns.get(conversationId);
    if (known?.turn === turn) return known;
    const { terminal } = this.parts.core.source.current();
    const environmentId = environmentIdOf(call, terminal, terminal.backend);
    const use = this.parts.store.terminalUses.begin({ conversationId, turn, environmentId, backend: terminal.backend });
    const fresh: TurnUse = { turn, use, toldBy: null };
    this.turns.delete(conversationId);
    this.turns.set(conversationId, fresh);
    const [oldest] = this.turns.keys();
    if (this.turns.size > rememberedTurns && oldest !== undefined) this.turns.delete(oldest);
    use.catch(() => {
      if (this.turns.get(conversationId) === fresh) this.turns.delete(conversationId);
    });
    return fresh;
  }

  private async openLeased(
    backend: Backend,
    call: TerminalCall,
    environment: EnvironmentRef,
  ): Promise<TerminalSession> {
    const first = await this.hold(call, environment);
    try {
      return await this.connect(backend, environment, first);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      // It is not what its workflow takes it for: stopped or removed behind our back. Once more; then it is an outage.
      this.leases.suspect(environment, first.generation);
      return this.connect(backend, environment, await this.hold(call, environment));
    }
  }

  private async connect(
    backend: Backend,
    environment: EnvironmentRef,
    lease: { readonly handle: EnvironmentHandle; readonly generation: number },
  ): Promise<TerminalSession> {
    const session = await backend.connect(lease.handle);
    return watchSession(session, () => this.leases.suspect(environment, lease.generation));
  }

  private async hold(call: TerminalCall, environment: EnvironmentRef) {
    this.held.set(call.callKey, [...(this.held.get(call.callKey) ?? []), environment]);
    try {
      return await this.leases.hold(environment, holderOf(call));
    } catch (error) {
      throw explained(error, environment);
    }
  }

  private async openDirect(backend: Backend, environmentId: string): Promise<TerminalSession> {
    const handle = this.directHandle(backend, environmentId);
    try {
      return await backend.connect(await handle);
    } catch (error) {
      if (!PortError.is(error) || error.code !== 'Terminal.SessionLost') throw error;
      // Somebody has removed it. Once more from the start; an environment that is lost at once is an outage.
      this.parts.core.log.warn({ environmentId }, 'the environment was gone; making it again');
      this.forgetDirect(environmentId, handle);
      return backend.connect(await this.directHandle(backend, environmentId));
    }
  }

  private directHandle(backend: Backend, environmentId: string): Promise<EnvironmentHandle> {
    const known = this.directHandles.get(environmentId);
    if (known !== undefined) return known;
    const handle = backend.create(environmentId);
    this.directHandles.set(environmentId, handle);
    handle.catch(() => this.forgetDirect(environmentId, handle));
    return handle;
  }

  private forgetDirect(environmentId: string, handle: Promise<EnvironmentHandle>): void {
    if (this.directHandles.get(environmentId) === handle) this.directHandles.delete(environmentId);
  }

  private async sweep(): Promise<void> {
    const { core, store, backends } = this.parts;
    try {
      const backend = await backends.of(core.source.current().terminal.backend);
      const rows = (await store.environments.list()).filter((row) => row.backend === backend.id);
      // One that is being made has no handle yet, and is as little nobody's.
      const known = rows.map(
        ({ handle, environmentId }) => handle ?? { environmentId, backend: backend.id, state: {} },
      );
      const forgotten = await backend.sweep({ olderThanMs: keepRunsMs, known });
      if (forgotten > 0) core.log.info({ forgotten }, 'old command records removed');
    } catch (error) {
      core.log.warn({ error: error instanceof Error ? error.message : String(error) }, 'old command records stay');
    }
  }
}

function holderOf(turn: { readonly conversationId: string; readonly turn: number }): string {
  return `turn/${turn.conversationId}/${String(turn.turn)}`;
}

function refOf({ personId }: TerminalCall, { environmentId, backend }: TerminalUse): EnvironmentRef {
  return { environmentId, backend, personId };
}

/** Said by the first call that gets there, and by its retries. */
function noticeOf(turn: TurnUse, use: TerminalUse, call: TerminalCall): string | undefined {
  if (use.movedFrom === null) return undefined;
  turn.toldBy ??= call.callKey;
  if (turn.toldBy !== call.callKey) return undefined;
  const where = use.movedFrom === use.backend ? `another environment on ${use.backend}` : use.backend;
  return `Commands now run on ${where}, not on ${use.movedFrom} as before: with a fresh working directory, and without the files and variables from there.`;
}

/** What a person and the model can do about an environment that does not come up. */
function explained(error: unknown, { environmentId, backend }: EnvironmentRef): unknown {
  if (!PortError.is(error) || !error.code.startsWith('Terminal.')) return error;
  const details = { ...error.details, environmentId, backend };
  if (error.code === 'Terminal.NeedsDecision') {
    return new PortError(error.code, error.message, { details, cause: error });
  }
  if (error.code === 'Terminal.SessionLost') {
    const message = `The environment ${environmentId} is gone, with its files: ${error.message}`;
    return new PortError('Terminal.NeedsDecision', message, {
      details: { ...details, ask: 'recreate-environment' },
      cause: error,
    });
  }
  const message = `The environment ${environmentId} could not be made ready: ${error.message} (\`hermes backend status\` and \`hermes doctor\` say more.)`;
  return new PortError(error.code, message, { retryable: false, details, cause: error });
}

interface TrustsHostKeys {
  trustHostKey(accepted: { host: string; port: number; fingerprint: string }): Promise<void>;
}

function trustsHostKeys(backend: object): backend is TrustsHostKeys {
  return 'trustHostKey' in backend && typeof backend.trustHostKey === 'function';
}
