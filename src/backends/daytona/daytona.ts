import type { Sandbox } from '@daytona/sdk';
import { PortError } from '../../lib/port-error.ts';
import type { Backend, BackendCheck, EnvironmentHandle } from '../backend.ts';
import { createDaytonaClient } from './client.ts';
import { createLifecycle, describeSandbox, stageOf } from './lifecycle.ts';
import { findOrMake } from './making.ts';
import { daytonaSettings, labels, sandboxName, type DaytonaBackendOptions } from './options.ts';
import { createSessions, sandboxIdOf } from './sessions.ts';
import { withinLimit } from './wait.ts';

const id = 'daytona';
const checkLimitMs = 5_000;

/**
 * Environments as Daytona sandboxes: started while awake, stopped (and later archived, by Daytona) while asleep. The
 * sandbox's name is made from the environment's id, so that making it twice meets the one there is. Nothing is held
 * open between two calls. Throws Terminal.Invalid where settings contradict each other.
 */
export function createDaytonaBackend(options: DaytonaBackendOptions): Backend {
  const settings = daytonaSettings(options);
  const client = createDaytonaClient(settings);
  const lifecycle = createLifecycle(client, settings.changeTimeoutMs);
  const sessions = createSessions(client, settings);

  return {
    id,
    hibernates: true,
    check: () => check(() => client.probe(), settings.apiUrl),
    create: async (environmentId, change) => {
      const sandbox = await findOrMake({ client, lifecycle, settings }, environmentId, change);
      await lifecycle.wake(sandbox, change);
      const home = (await client.ask('control', () => sandbox.getUserHomeDir())) ?? '/root';
      const handle = { environmentId, backend: id, state: { sandboxId: sandbox.id, home } };
      await change?.commit?.(handle);
      return handle;
    },
    resume: async (handle, change) => {
      await lifecycle.wake(await sessions.present(handle), change);
      await change?.commit?.(handle);
      return handle;
    },
    hibernate: async (handle, change) => {
      const sandbox = await sessions.present(handle);
      // The same handle finds it asleep.
      await change?.commit?.(handle);
      sessions.forget(sandbox.id);
      await lifecycle.sleep(sandbox, change);
      return handle;
    },
    destroy: async (handle) => {
      sessions.forget(sandboxIdOf(handle));
      const sandbox = await client.find(sandboxIdOf(handle));
      if (sandbox) await lifecycle.remove(sandbox);
    },
    describe: async (handle) => describeSandbox(await client.find(sandboxIdOf(handle))),
    connect: async (handle) => sessions.session(handle, await sessions.awake(handle)),
    openShell: async (handle, screen) => sessions.shell(handle, await sessions.awake(handle), screen),
    sweep: async ({ olderThanMs, known }) => {
      const ours = known.filter(({ backend }) => backend === id);
      const names = new Set(ours.map(({ environmentId }) => sandboxName(settings.installationId, environmentId)));
      const handles = new Map<string, EnvironmentHandle>(ours.map((handle) => [sandboxIdOf(handle), handle]));
      let swept = 0;
      for (const sandbox of await client.list()) {
        const handle = handles.get(sandbox.id);
        if (handle && stageOf(sandbox) === 'awake') {
          swept += await sessions.session(handle, sandbox).protocol.sweep({ olderThanMs });
        } else if (!names.has(sandbox.name) && isOrphan(sandbox, settings.installationId, olderThanMs)) {
          await lifecycle.remove(sandbox);
          swept += 1;
        }
      }
      return swept;
    },
    // Connections end by themselves some seconds after their last use, and hold no process until then.
    close: () => {
      sessions.forget();
      return Promise.resolve();
    },
  };
}

async function check(probe: () => Promise<void>, apiUrl: string): Promise<BackendCheck> {
  try {
    await withinLimit(probe(), checkLimitMs, () => {
      const message = `Daytona at ${apiUrl} (terminal.daytona.apiUrl) does not answer within ${checkLimitMs / 1000} s.`;
      return new PortError('Terminal.BackendUnavailable', message);
    });
    return { usable: true, detail: `Daytona at ${apiUrl} accepts the key` };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const fix = PortError.is(error) ? fixes[error.code] : undefined;
    return { usable: false, detail, ...(fix === undefined ? {} : { fix }) };
  }
}

const fixes: Readonly<Record<string, string>> = {
  'Terminal.Authentication': 'hermes config set terminal.daytona.apiKey KEY',
  'Terminal.NotFound': 'hermes config set terminal.daytona.snapshot NAME',
  'Terminal.BackendUnavailable': 'hermes config set terminal.daytona.apiUrl URL, or look at the network',
};

/** Ours, in nobody's records, and not just being made. */
function isOrphan(sandbox: Sandbox, installationId: string, olderThanMs: number): boolean {
  if (sandbox.labels[labels.installation] !== installationId || stageOf(sandbox) === 'gone') return false;
  const createdAt = Date.parse(sandbox.createdAt ?? '');
  return !Number.isNaN(createdAt) && Date.now() - createdAt >= olderThanMs;
}
