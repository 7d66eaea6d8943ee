import { PortError } from '../../lib/port-error.ts';
import type { Backend, BackendCheck, EnvironmentHandle } from '../backend.ts';
import { openModal, type ModalConnection } from './client.ts';
import { isMissing, modalError } from './errors.ts';
import { ModalLifecycle } from './lifecycle.ts';
import { modalSettings, type ModalBackendOptions, type ModalSettings } from './options.ts';
import { ModalSandboxes, type Sandboxes } from './sandboxes.ts';
import { ModalSessions } from './sessions.ts';
import { environmentTag, stateOf, tagNames } from './state.ts';

export type { ModalBackendOptions } from './options.ts';

const checkMs = 4_500;

interface Opened {
  readonly modal: ModalConnection;
  readonly sandboxes: Sandboxes;
  readonly lifecycle: ModalLifecycle;
  readonly sessions: ModalSessions;
}

/**
 * Environments in sandboxes of modal.com. Modal ends every sandbox after a day at the latest, so an environment goes
 * from sandbox to sandbox as a snapshot of its files: see lifecycle.ts. `state.expiresAt` of an awake handle says when
 * its sandbox ends; `resume` shortly before that, while nothing runs, goes over to a new one.
 */
export function createModalBackend(options: ModalBackendOptions): Backend {
  const settings = modalSettings(options);
  let opened: Opened | undefined;
  // Without a token everything is refused, but only when it is asked for.
  const open = () => (opened ??= openAll(settings));

  return {
    id: 'modal',
    hibernates: true,
    check: () => check(settings, () => open().modal),
    create: async (environmentId, change) => {
      const { lifecycle, sessions } = open();
      return sessions.moved(await lifecycle.create(environmentId, change));
    },
    resume: async (handle, change) => {
      const { lifecycle, sessions } = open();
      return sessions.moved(await lifecycle.resume(handle, change));
    },
    hibernate: async (handle, change) => {
      const { lifecycle, sessions } = open();
      return sessions.moved(await lifecycle.hibernate(handle, change));
    },
    destroy: async (handle) => {
      const { lifecycle, sessions } = open();
      await lifecycle.destroy(handle);
      sessions.forget(handle.environmentId);
    },
    describe: async (handle) => open().lifecycle.describe(handle),
    connect: async (handle) => open().sessions.connect(handle),
    openShell: async (handle, screen) => open().sessions.openShell(handle, screen),
    sweep: async (what) => sweep(open(), what),
    close: () => {
      opened?.sessions.close();
      opened?.sandboxes.release();
      opened?.modal.close();
      return Promise.resolve();
    },
  };
}

function openAll(settings: ModalSettings): Opened {
  const modal = openModal(settings);
  const sandboxes = new ModalSandboxes(modal.sdk, settings);
  const lifecycle: ModalLifecycle = new ModalLifecycle({
    sandboxes,
    baseImage: settings.image,
    renewBeforeMs: Math.min(30, settings.timeoutMinutes / 10) * 60_000,
    mayRenew: (handle) => sessions.nothingRuns(handle),
  });
  const sessions = new ModalSessions({
    settings,
    sandboxes,
    canBeWoken: async (handle) => (await lifecycle.describe(handle)).state === 'hibernated',
  });
  return { modal, sandboxes, lifecycle, sessions };
}

async function check(settings: ModalSettings, open: () => ModalConnection): Promise<BackendCheck> {
  const { app, serverUrl } = settings;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const message = `Modal does not answer at ${serverUrl}.`;
    timer = setTimeout(() => {
      reject(new PortError('Terminal.BackendUnavailable', message));
    }, checkMs);
  });
  try {
    // Only reads: that there is no such app yet is as good an answer as any.
    const asked = open()
      .sdk.apps.fromName(app)
      .catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    await Promise.race([asked, late]);
    return { usable: true, detail: `Modal at ${serverUrl}, app ${app}` };
  } catch (error) {
    const { message, code } = modalError(error, serverUrl, 'server');
    const fix =
      code === 'Terminal.Authentication'
        ? 'modal token new, then hermes config set terminal.modal.tokenId … and terminal.modal.tokenSecret …'
        : 'check the network and terminal.modal.serverUrl';
    return { usable: false, detail: message, fix };
  } finally {
    clearTimeout(timer);
  }
}

async function sweep(
  { sandboxes, sessions }: Opened,
  { olderThanMs, known }: { olderThanMs: number; known: readonly EnvironmentHandle[] },
): Promise<number> {
  const ours = new Set(known.map(({ environmentId }) => environmentTag(environmentId)));
  let count = 0;
  for (const { sandbox, tags } of await sandboxes.list()) {
    // A young one may belong to an environment that is being made and not yet known.
    const isYoung = Date.now() - Number(tags[tagNames.createdAt] ?? 0) < olderThanMs;
    if (isYoung || ours.has(tags[tagNames.environment] ?? '')) continue;
    await sandboxes.tag(sandbox, { [tagNames.ended]: 'destroyed' });
    await sandboxes.end(sandbox);
    count += 1;
  }
  for (const handle of known) {
    const { phase, sandbox } = stateOf(handle);
    if (handle.backend !== 'modal' || phase !== 'awake' || !(await sandboxes.lives(sandbox))) continue;
    count += await sessions.sweep(handle, { olderThanMs });
  }
  return count;
}
