import { setTimeout as delay } from 'node:timers/promises';
import type { App, Image, ModalClient, Sandbox } from 'modal';
import { PortError } from '../../lib/port-error.ts';
import { isEnded, isMissing, isNoAnswer, isTaken, modalError, reasonOf, type ModalSubject } from './errors.ts';
import type { ModalSettings } from './options.ts';
import { environmentTag, sandboxName, stateFromTags, tagNames, tagsOf, type ModalState, type Tags } from './state.ts';

/** First process of a sandbox: lives until it is ended, and takes leave of processes that lost their parent. */
const mainProcess = ['sh', '-c', "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"];
const timeMs = { snapshot: 300_000, exitSnapshot: 60_000, ending: 30_000, firstAnswer: 60_000, nameFreed: 20_000 };

/** A sandbox with its tags. */
export interface Labelled {
  readonly sandbox: string;
  readonly tags: Tags;
}

/** Sandboxes and images at Modal, without what they mean for an environment. Rejects with a PortError. */
export interface Sandboxes {
  get(sandboxId: string): Promise<Sandbox>;
  /** The one of that environment that runs; null when there is none. */
  find(environmentId: string): Promise<ModalState | null>;
  /** The last one that ran, with its tags; null when Modal remembers none. */
  findEnded(environmentId: string): Promise<Labelled | null>;
  /** Makes one from an image, or finds the one that somebody else made meanwhile; never a second. */
  make(environmentId: string, image: Image, files: Partial<ModalState>): Promise<{ state: ModalState; made: boolean }>;
  /** Runs one command in it. */
  tryOut(sandboxId: string): Promise<void>;
  lives(sandboxId: string): Promise<boolean>;
  /** Resolves when it has ended. Idempotent. */
  end(sandboxId: string): Promise<void>;
  /** Image id of its files as they are. */
  snapshot(sandboxId: string): Promise<string>;
  /** Image id of what Modal itself kept when it ended; null when there is nothing of the kind. */
  exitSnapshot(sandboxId: string, waitMs?: number): Promise<string | null>;
  tags(sandboxId: string): Promise<Tags>;
  tag(sandboxId: string, more: Tags): Promise<void>;
  /** The image environments start from. */
  baseImage(): Image;
  /** Null when it does not exist (any more). */
  image(imageId: string): Promise<Image | null>;
  /** Idempotent. */
  removeImage(imageId: string): Promise<void>;
  /** All of this installation that run. */
  list(): Promise<Labelled[]>;
  /** Lets go of the connection to a sandbox, or to all. */
  release(sandboxId?: string): void;
}

export class ModalSandboxes implements Sandboxes {
  private readonly sdk: ModalClient;
  private readonly settings: ModalSettings;
  private readonly known = new Map<string, Promise<Sandbox>>();
  private app: Promise<App> | undefined;

  constructor(sdk: ModalClient, settings: ModalSettings) {
    this.sdk = sdk;
    this.settings = settings;
  }

  get(sandboxId: string): Promise<Sandbox> {
    const sandbox = this.known.get(sandboxId) ?? this.sdk.sandboxes.fromId(sandboxId);
    this.known.set(sandboxId, sandbox);
    return sandbox;
  }

  release(sandboxId?: string): void {
    for (const [id, sandbox] of this.known) {
      if (sandboxId !== undefined && id !== sandboxId) continue;
      this.known.delete(id);
      void sandbox.then((open) => {
        open.detach();
      });
    }
  }

  find(environmentId: string): Promise<ModalState | null> {
    return this.asking('sandbox', async () => {
      const sandbox = await this.named(environmentId, false);
      if (sandbox === null) return null;
      const tags = await this.tags(sandbox);
      // One that is just being ended is of no use to anybody.
      return tags[tagNames.ended] === undefined ? stateFromTags(sandbox, tags) : null;
    });
  }

  findEnded(environmentId: string): Promise<Labelled | null> {
    return this.asking('sandbox', async () => {
      const sandbox = await this.named(environmentId, true);
      return sandbox === null ? null : { sandbox, tags: await this.tags(sandbox) };
    });
  }

  private async named(environmentId: string, includeTerminated: boolean): Promise<string | null> {
    const { app, installationId } = this.settings;
    const name = sandboxName(installationId, environmentId);
    return orNull(async () => {
      return (await this.sdk.sandboxes.experimentalFromName(app, name, { includeTerminated })).sandboxId;
    });
  }

  make(environmentId: string, image: Image, files: Partial<ModalState>): Promise<{ state: ModalState; made: boolean }> {
    return this.asking('image', async () => {
      // Tried again for a while: the name of a sandbox that is just ending is free only when it has ended.
      const patience = Date.now() + timeMs.nameFreed;
      for (;;) {
        try {
          return { state: await this.makeOne(environmentId, image, files), made: true };
        } catch (error) {
          if (!isTaken(error)) throw error;
          const other = await this.find(environmentId);
          if (other) return { state: other, made: false };
          if (Date.now() > patience) throw error;
          await delay(250);
        }
      }
    });
  }

  private async makeOne(environmentId: string, image: Image, files: Partial<ModalState>): Promise<ModalState> {
    const { installationId, timeoutMinutes, idleTimeoutMinutes, cpu, memoryMb, region, exitSnapshots } = this.settings;
    const createdAt = Date.now();
    const lifeMs = Math.round(timeoutMinutes * 60) * 1000;
    const tags = tagsOf({ ...files, expiresAt: new Date(createdAt + lifeMs).toISOString() });
    const sandbox = await this.sdk.sandboxes.create(await this.ourApp(), image, {
      name: sandboxName(installationId, environmentId),
      command: mainProcess,
      timeoutMs: lifeMs,
      ...(idleTimeoutMinutes > 0 ? { idleTimeoutMs: Math.round(idleTimeoutMinutes * 60) * 1000 } : {}),
      ...(cpu === undefined ? {} : { cpu }),
      ...(memoryMb === undefined ? {} : { memoryMiB: memoryMb }),
      ...(region === undefined ? {} : { regions: [region] }),
      ...(exitSnapshots ? { experimentalOptions: { enable_exit_snapshot: true } } : {}),
      tags: {
        ...tags,
        [tagNames.installation]: installationId,
        [tagNames.environment]: environmentTag(environmentId),
        [tagNames.createdAt]: String(createdAt),
      },
    });
    this.known.set(sandbox.sandboxId, Promise.resolve(sandbox));
    return stateFromTags(sandbox.sandboxId, tags);
  }

  private ourApp(): Promise<App> {
    this.app ??= this.sdk.apps.fromName(this.settings.app, { createIfMissing: true }).catch((error: unknown) => {
      this.app = undefined;
      throw error;
    });
    return this.app;
  }

  tryOut(sandboxId: string): Promise<void> {
    return this.asking('sandbox', async () => {
      const limit = AbortSignal.timeout(timeMs.firstAnswer);
      const sandbox = await this.get(sandboxId);
      const process = await sandbox.exec(['true'], {
        timeoutMs: timeMs.firstAnswer,
        stdout: 'ignore',
        stderr: 'ignore',
      });
      const code = await process._wait(limit);
      if (code === 0) return;
      const message = `Commands fail in the sandbox ${sandboxId} (exit code ${code}).`;
      throw new PortError('Terminal.BackendUnavailable', message);
    });
  }

  lives(sandboxId: string): Promise<boolean> {
    return this.asking('sandbox', async () => {
      return (await orNull(async () => ((await (await this.get(sandboxId)).poll()) === null ? 'yes' : null))) !== null;
    });
  }

  end(sandboxId: string): Promise<void> {
    return this.asking('sandbox', async () => {
      try {
        await (await this.get(sandboxId)).terminate();
      } catch (error) {
        if (!isEnded(error)) throw error;
      }
      const patience = Date.now() + timeMs.ending;
      while (await this.lives(sandboxId)) {
        if (Date.now() > patience) {
          throw new PortError('Terminal.BackendUnavailable', `The sandbox ${sandboxId} does not end at Modal.`);
        }
        await delay(100);
      }
      this.release(sandboxId);
    });
  }

  snapshot(sandboxId: string): Promise<string> {
    return this.asking('sandbox', async () => {
      const sandbox = await this.get(sandboxId);
      return (await sandbox.snapshotFilesystem({ ttlMs: null, timeoutMs: timeMs.snapshot })).imageId;
    });
  }

  async exitSnapshot(sandboxId: string, waitMs: number = timeMs.exitSnapshot): Promise<string | null> {
    if (!this.settings.exitSnapshots) return null;
    try {
      return (await (await this.get(sandboxId)).experimentalGetExitSnapshot({ timeoutMs: waitMs })).imageId;
    } catch (error) {
      if (isNoAnswer(error)) throw modalError(error, this.settings.serverUrl, 'snapshot');
      // There is none: not asked for, not made in time, forgotten.
      return null;
    }
  }

  tags(sandboxId: string): Promise<Tags> {
    return this.asking('sandbox', async () => (await this.get(sandboxId)).getTags());
  }

  tag(sandboxId: string, more: Tags): Promise<void> {
    return this.asking('sandbox', async () => {
      await (await this.get(sandboxId)).setTags({ ...(await this.tags(sandboxId)), ...more });
    });
  }

  baseImage(): Image {
    return this.sdk.images.fromRegistry(this.settings.image);
  }

  image(imageId: string): Promise<Image | null> {
    return this.asking('snapshot', () => orNull(() => this.sdk.images.fromId(imageId)));
  }

  removeImage(imageId: string): Promise<void> {
    return this.asking('snapshot', async () => {
      await orNull(() => this.sdk.images.delete(imageId));
    });
  }

  list(): Promise<Labelled[]> {
    const { app, installationId } = this.settings;
    return this.asking('server', async () => {
      const found: Labelled[] = [];
      const ours = await orNull(() => this.sdk.apps.fromName(app));
      if (!ours) return found;
      const wanted = { appId: ours.appId, tags: { [tagNames.installation]: installationId } };
      for await (const { sandboxId } of this.sdk.sandboxes.list(wanted)) {
        found.push({ sandbox: sandboxId, tags: await this.tags(sandboxId) });
      }
      return found;
    });
  }

  private async asking<T>(subject: ModalSubject, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw modalError(error, this.settings.serverUrl, subject);
    }
  }
}

/** Null for what does not exist (any more). */
async function orNull<T>(call: () => Promise<T>): Promise<T | null> {
  try {
    return await call();
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** For a line to people. */
export function failureLine(what: string, error: unknown): string {
  return `${what}: ${PortError.is(error) ? error.message : reasonOf(error)}`;
}
