import { PortError } from '../../lib/port-error.ts';
import type { EnvironmentHandle, InteractiveShell, ScreenOptions } from '../backend.ts';
import { interactiveScript } from '../interactive-script.ts';
import { createShellFiles } from '../remote-files.ts';
import { createRemoteSession, type RemoteSession } from '../remote-session.ts';
import type { RemoteShell } from '../remote-shell.ts';
import { createResidentShell } from '../resident-shell.ts';
import { isMissing, modalError } from './errors.ts';
import type { ModalSettings } from './options.ts';
import type { Sandboxes } from './sandboxes.ts';
import { stateOf } from './state.ts';
import { createSandboxTransport, openScreen, rotating } from './transport.ts';

/** Where the run protocol keeps its files; part of every snapshot. */
const root = '/var/lib/hermes';
const home = '/root';
/** A sandbox that answered so lately is taken to be there. */
const trustMs = 10_000;

/** What is open to one environment. */
interface Entry {
  handle: EnvironmentHandle;
  readonly shell: RemoteShell;
  readonly session: RemoteSession;
  trustedUntil: number;
}

export interface ModalSessionsOptions {
  readonly settings: ModalSettings;
  readonly sandboxes: Sandboxes;
  /** Whether an environment without a sandbox can be woken. */
  readonly canBeWoken: (handle: EnvironmentHandle) => Promise<boolean>;
}

/** The session side. A session is of an environment: it reaches whichever sandbox that has at the moment. */
export class ModalSessions {
  private readonly settings: ModalSettings;
  private readonly sandboxes: Sandboxes;
  private readonly canBeWoken: ModalSessionsOptions['canBeWoken'];
  private readonly entries = new Map<string, Entry>();

  constructor({ settings, sandboxes, canBeWoken }: ModalSessionsOptions) {
    this.settings = settings;
    this.sandboxes = sandboxes;
    this.canBeWoken = canBeWoken;
  }

  async connect(handle: EnvironmentHandle): Promise<RemoteSession> {
    const { phase, sandbox } = stateOf(handle);
    if (phase === 'asleep') throw await this.gone(handle);
    const entry = this.enter(handle);
    if (Date.now() > entry.trustedUntil) {
      if (!(await this.sandboxes.lives(sandbox))) throw await this.gone(handle);
      entry.trustedUntil = Date.now() + trustMs;
    }
    return entry.session;
  }

  async openShell(handle: EnvironmentHandle, screen: ScreenOptions): Promise<InteractiveShell> {
    await this.connect(handle);
    const { shell } = this.enter(handle);
    const script = interactiveScript({ root, sessionKey: screen.sessionKey, defaultCwd: home });
    try {
      const sandbox = await this.sandboxes.get(stateOf(handle).sandbox);
      return await openScreen({ sandbox, shell, root, script, screen });
    } catch (error) {
      throw await this.failure(handle, error);
    }
  }

  /** Its newest handle, from now on; returned for the caller's convenience. */
  moved(handle: EnvironmentHandle): EnvironmentHandle {
    const entry = this.entries.get(handle.environmentId);
    if (!entry) return handle;
    const before = stateOf(entry.handle);
    entry.handle = handle;
    if (before.sandbox === stateOf(handle).sandbox && before.phase === stateOf(handle).phase) return handle;
    entry.trustedUntil = 0;
    entry.shell.close();
    this.sandboxes.release(before.sandbox);
    return handle;
  }

  async nothingRuns(handle: EnvironmentHandle): Promise<boolean> {
    const script = `for c in ${root}/runs/*/claimed; do
[ -r "$c" ] && [ ! -e "\${c%claimed}exit" ] && read -r p rest <"$c" && kill -0 "$p" 2>/dev/null && echo "$c" && break
done; :`;
    return (await this.enter(handle).shell.run(script)).stdout.length === 0;
  }

  async sweep(handle: EnvironmentHandle, options: { olderThanMs: number }): Promise<number> {
    return this.enter(handle).session.protocol.sweep(options);
  }

  forget(environmentId: string): void {
    this.entries.get(environmentId)?.shell.close();
    this.entries.delete(environmentId);
  }

  close(): void {
    for (const environmentId of [...this.entries.keys()]) this.forget(environmentId);
  }

  private enter(handle: EnvironmentHandle): Entry {
    const known = this.entries.get(handle.environmentId);
    if (known) {
      this.moved(handle);
      return known;
    }
    const transport = createSandboxTransport({
      sandbox: async () => {
        const { phase, sandbox } = stateOf(entry.handle);
        if (phase === 'asleep') throw await this.gone(entry.handle);
        return this.sandboxes.get(sandbox);
      },
      failure: (error) => this.failure(entry.handle, error),
    });
    const shell = rotating(createResidentShell({ transport, idleMs: this.settings.idleConnectionMs }));
    const files = createShellFiles(shell, { transport });
    const session = createRemoteSession({ shell, root, home, defaultCwd: home, files });
    const entry: Entry = { handle, shell, session, trustedUntil: 0 };
    this.entries.set(handle.environmentId, entry);
    return entry;
  }

  /** What it means that something could not be started in a sandbox: the server knows whether it still runs. */
  private async failure(handle: EnvironmentHandle, error: unknown): Promise<Error> {
    const failure = modalError(error, this.settings.serverUrl, 'sandbox');
    if (PortError.is(error) || failure.code === 'Terminal.Authentication') return failure;
    try {
      if (!(await this.sandboxes.lives(stateOf(handle).sandbox))) return await this.gone(handle);
    } catch (other) {
      return PortError.is(other) ? other : failure;
    }
    if (!isMissing(error)) return failure;
    const message = 'The Modal sandbox runs, but commands cannot be started in it yet.';
    return new PortError('Terminal.BackendUnavailable', message, { cause: error });
  }

  private async gone(handle: EnvironmentHandle): Promise<PortError> {
    const details = { details: { environmentId: handle.environmentId } };
    return (await this.canBeWoken(handle))
      ? new PortError('Terminal.Asleep', 'The environment is asleep.', details)
      : new PortError('Terminal.SessionLost', 'The environment does not exist (any more).', details);
  }
}
