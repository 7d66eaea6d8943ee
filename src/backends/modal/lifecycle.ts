import { PortError } from '../../lib/port-error.ts';
import type { ChangeOptions, EnvironmentDescription, EnvironmentHandle } from '../backend.ts';
import { failureLine, type Sandboxes } from './sandboxes.ts';
import { handleOf, obsoleteImages, stateFromTags, stateOf, tagNames, tagsOf, withObsolete } from './state.ts';
import type { ModalState } from './state.ts';

/** For those who only ask. */
const briefMs = 3_000;

/** The newest files of an environment whose sandbox is gone. */
interface Remains {
  readonly image: string;
  readonly at: string;
  /** Nothing was written after it was taken. */
  readonly complete: boolean;
}

export interface LifecycleOptions {
  readonly sandboxes: Sandboxes;
  /** For progress: what a new environment starts from. */
  readonly baseImage: string;
  /** A sandbox with less of its life left is exchanged for a new one when it is woken. */
  readonly renewBeforeMs: number;
  /** Whether nothing runs in it that would be lost. */
  readonly mayRenew: (handle: EnvironmentHandle) => Promise<boolean>;
}

/**
 * An environment outlives its sandboxes: its files go from one to the next as a snapshot. A snapshot is removed only
 * after a newer one has been woken, and a sandbox is ended only after a handle with its snapshot has been committed.
 */
export class ModalLifecycle {
  private readonly sandboxes: Sandboxes;
  private readonly baseImage: string;
  private readonly renewBeforeMs: number;
  private readonly mayRenew: LifecycleOptions['mayRenew'];

  constructor({ sandboxes, baseImage, renewBeforeMs, mayRenew }: LifecycleOptions) {
    this.sandboxes = sandboxes;
    this.baseImage = baseImage;
    this.renewBeforeMs = renewBeforeMs;
    this.mayRenew = mayRenew;
  }

  async create(environmentId: string, options: ChangeOptions = {}): Promise<EnvironmentHandle> {
    const running = await this.sandboxes.find(environmentId);
    if (running) return handleOf(environmentId, running);
    const ended = await this.sandboxes.findEnded(environmentId);
    if (ended) {
      // Whoever asks has lost the handle; Modal remembers what it needs.
      const remains = await this.remainsOf(stateFromTags(ended.sandbox, ended.tags));
      if (remains) return this.wake(environmentId, asleep(stateFromTags(ended.sandbox, ended.tags), remains), options);
    }
    options.progress?.(`making a sandbox at Modal from ${this.baseImage}`);
    const { state } = await this.sandboxes.make(environmentId, this.sandboxes.baseImage(), {});
    const handle = handleOf(environmentId, state);
    await options.commit?.(handle);
    return handle;
  }

  async resume(handle: EnvironmentHandle, options: ChangeOptions = {}): Promise<EnvironmentHandle> {
    const state = stateOf(handle);
    if (state.phase === 'asleep') return this.wake(handle.environmentId, state, options);
    if (await this.sandboxes.lives(state.sandbox)) return this.renewed(handle, options);
    const other = await this.sandboxes.find(handle.environmentId);
    if (other) {
      const found = handleOf(handle.environmentId, { ...other, obsolete: withObsolete(state) });
      await options.commit?.(found);
      return found;
    }
    const remains = await this.remainsOf(state);
    if (!remains) throw sessionLost(handle);
    if (!remains.complete) options.progress?.(lossLine(remains));
    return this.wake(handle.environmentId, asleep(state, remains), options);
  }

  /** Modal ends every sandbox in the end; better while nothing runs in it than in the middle of something. */
  private async renewed(handle: EnvironmentHandle, options: ChangeOptions): Promise<EnvironmentHandle> {
    const { expiresAt } = stateOf(handle);
    if (expiresAt === undefined || Date.parse(expiresAt) - Date.now() > this.renewBeforeMs) return handle;
    if (!(await this.mayRenew(handle))) return handle;
    options.progress?.('the sandbox is near the end of its life: going on in a new one');
    return this.resume(await this.hibernate(handle, options), options);
  }

  private async wake(environmentId: string, state: ModalState, options: ChangeOptions): Promise<EnvironmentHandle> {
    // Its files are in the snapshot, and only one may go by the name.
    if (await this.sandboxes.lives(state.sandbox)) await this.endForGood(state);
    const { image, from } = await this.imageToWake(environmentId, state, options);
    options.progress?.(`starting a sandbox at Modal from the snapshot of ${from.snapshotAt ?? 'unknown time'}`);
    const { state: awake, made } = await this.sandboxes.make(environmentId, image, from);
    const next = {
      ...awake,
      obsolete: withObsolete(state, state.snapshot === from.snapshot ? undefined : state.snapshot),
    };
    try {
      await this.sandboxes.tryOut(awake.sandbox);
      await options.commit?.(handleOf(environmentId, next));
    } catch (error) {
      // Not by us if somebody else made it: they may be using it.
      if (made) await this.sandboxes.end(awake.sandbox);
      throw error;
    }
    const kept = await this.removeObsolete(state, next, options);
    return handleOf(environmentId, { ...next, obsolete: kept.join(' ') });
  }

  /** The newest snapshot that still exists. */
  private async imageToWake(environmentId: string, state: ModalState, options: ChangeOptions) {
    for (const snapshot of [state.snapshot, ...obsoleteImages(state).reverse()]) {
      const image = snapshot === undefined ? null : await this.sandboxes.image(snapshot);
      if (!image || snapshot === undefined) continue;
      if (snapshot === state.snapshot) return { image, from: filesOf(state) };
      options.progress?.(`the snapshot ${state.snapshot ?? ''} is gone at Modal: falling back to the one before it`);
      const from: Partial<ModalState> = { snapshot, lostAt: new Date().toISOString() };
      return { image, from };
    }
    throw sessionLost({ environmentId, backend: 'modal', state: {} });
  }

  /** The new snapshot has been woken. Resolves with what could not be removed and is to be tried again next time. */
  private async removeObsolete(before: ModalState, after: ModalState, options: ChangeOptions): Promise<string[]> {
    const kept: string[] = [];
    const old = obsoleteImages(after).filter((image) => image !== after.snapshot);
    // Ending a sandbox made Modal keep its files, too; not worth a failure if it cannot be asked.
    const doubled = await this.sandboxes.exitSnapshot(before.sandbox, 0).catch(() => null);
    for (const image of new Set([...old, ...(doubled === null || doubled === after.snapshot ? [] : [doubled])])) {
      try {
        await this.sandboxes.removeImage(image);
      } catch (error) {
        kept.push(image);
        options.progress?.(failureLine(`the old snapshot ${image} could not be removed yet`, error));
      }
    }
    return kept;
  }

  async hibernate(handle: EnvironmentHandle, options: ChangeOptions = {}): Promise<EnvironmentHandle> {
    const state = stateOf(handle);
    if (state.phase === 'asleep') {
      if (await this.sandboxes.lives(state.sandbox)) await this.endForGood(state);
      return handle;
    }
    const next = (await this.sandboxes.lives(state.sandbox))
      ? await this.snapshot(state, options)
      : await this.lastFiles(handle);
    await options.commit?.(handleOf(handle.environmentId, next));
    await this.endForGood(next);
    return handleOf(handle.environmentId, next);
  }

  private async snapshot(state: ModalState, options: ChangeOptions): Promise<ModalState> {
    options.progress?.('taking a snapshot of the files at Modal');
    const snapshotAt = new Date().toISOString();
    // One that was taken and then forgotten, because whoever took it died, is known by the tag only.
    const forgotten = (await this.sandboxes.tags(state.sandbox))[tagNames.snapshot];
    const obsolete = withObsolete(state, state.snapshot, forgotten);
    try {
      const image = await this.sandboxes.snapshot(state.sandbox);
      const next: ModalState = { phase: 'asleep', sandbox: state.sandbox, snapshot: image, snapshotAt, obsolete };
      await this.sandboxes.tag(state.sandbox, tagsOf(next));
      return next;
    } catch (error) {
      throw stillAwake(error);
    }
  }

  private async lastFiles(handle: EnvironmentHandle): Promise<ModalState> {
    const remains = await this.remainsOf(stateOf(handle));
    if (!remains) throw sessionLost(handle);
    return asleep(stateOf(handle), remains);
  }

  private async endForGood(state: ModalState): Promise<void> {
    if (!(await this.sandboxes.lives(state.sandbox))) return;
    await this.sandboxes.tag(state.sandbox, { [tagNames.ended]: 'hibernated' });
    await this.sandboxes.end(state.sandbox);
  }

  /** What is left of an environment whose sandbox has ended; null when nothing is. */
  private async remainsOf(state: ModalState, waitMs?: number): Promise<Remains | null> {
    const tags = await this.sandboxes.tags(state.sandbox).catch((error: unknown) => {
      if (PortError.is(error) && error.code === 'Terminal.SessionLost') return {};
      throw error;
    });
    const ended = (tags as Record<string, string | undefined>)[tagNames.ended];
    if (ended === 'destroyed') return null;
    const tagged = stateFromTags(state.sandbox, tags);
    if (ended !== 'hibernated') {
      const image = await this.sandboxes.exitSnapshot(state.sandbox, waitMs);
      if (image !== null) return { image, at: new Date().toISOString(), complete: true };
    }
    for (const { snapshot: image, snapshotAt: at = '' } of [tagged, state]) {
      if (image === undefined || !(await this.sandboxes.image(image))) continue;
      return { image, at, complete: ended === 'hibernated' };
    }
    return null;
  }

  async destroy(handle: EnvironmentHandle): Promise<void> {
    const state = stateOf(handle);
    const running = await this.sandboxes.find(handle.environmentId);
    const images = new Set([state.snapshot, running?.snapshot, ...obsoleteImages(state)]);
    for (const sandbox of new Set([state.sandbox, running?.sandbox])) {
      if (sandbox === undefined) continue;
      const lives = await this.sandboxes.lives(sandbox);
      const marked = this.sandboxes.tag(sandbox, { [tagNames.ended]: 'destroyed' });
      // Modal may have forgotten one that ended long ago.
      if (lives) await marked;
      else await marked.catch(() => undefined);
      if (lives) await this.sandboxes.end(sandbox);
      images.add((await this.sandboxes.exitSnapshot(sandbox, lives ? 10_000 : 0)) ?? undefined);
    }
    for (const image of images) if (image !== undefined) await this.sandboxes.removeImage(image);
  }

  async describe(handle: EnvironmentHandle): Promise<EnvironmentDescription> {
    const state = stateOf(handle);
    if (state.phase === 'asleep') {
      for (const image of [state.snapshot, ...obsoleteImages(state)]) {
        if (image === undefined || !(await this.sandboxes.image(image))) continue;
        const at = state.snapshotAt ?? 'unknown time';
        return { state: 'hibernated', detail: `Modal snapshot ${image} of ${at}${lossOf(state)}` };
      }
      return { state: 'absent', detail: 'Modal has no snapshot of it (any more)' };
    }
    if (await this.sandboxes.lives(state.sandbox)) {
      const until = state.expiresAt ?? 'unknown time';
      return { state: 'awake', detail: `Modal sandbox ${state.sandbox} until ${until}${lossOf(state)}` };
    }
    const remains = await this.remainsOf(state, briefMs);
    if (!remains)
      return { state: 'absent', detail: `the Modal sandbox ${state.sandbox} is gone, and there is no snapshot` };
    return { state: 'hibernated', detail: remains.complete ? `Modal snapshot ${remains.image}` : lossLine(remains) };
  }
}

/** The part of a state that a new sandbox takes over. */
function filesOf({ snapshot, snapshotAt, lostAt }: ModalState): Partial<ModalState> {
  return {
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(snapshotAt === undefined ? {} : { snapshotAt }),
    ...(lostAt === undefined ? {} : { lostAt }),
  };
}

function asleep(state: ModalState, { image, at, complete }: Remains): ModalState {
  return {
    phase: 'asleep',
    sandbox: state.sandbox,
    snapshot: image,
    snapshotAt: at,
    obsolete: withObsolete(state, state.snapshot === image ? undefined : state.snapshot),
    ...(complete ? {} : { lostAt: new Date().toISOString() }),
  };
}

/** What a person must know of a state for as long as it lasts. */
function lossOf({ lostAt, snapshotAt }: ModalState): string {
  if (lostAt === undefined) return '';
  return `; a sandbox ended by itself before ${lostAt}, what changed after ${snapshotAt ?? 'its snapshot'} is lost`;
}

function lossLine({ at }: Remains): string {
  return `the Modal sandbox ended by itself; what changed after the snapshot of ${at} is lost`;
}

function stillAwake(error: unknown): unknown {
  if (!PortError.is(error)) return error;
  const { code, retryable, details } = error;
  const message = `The snapshot failed, so the environment stays awake with all its files. ${error.message}`;
  return new PortError(code, message, { retryable, details, cause: error });
}

function sessionLost(handle: EnvironmentHandle): PortError {
  const message = 'The Modal sandbox is gone and there is no snapshot of its files: the environment must be made anew.';
  return new PortError('Terminal.SessionLost', message, { details: { environmentId: handle.environmentId } });
}
