import { mkdir } from 'node:fs/promises';
import type { Backend, EnvironmentHandle, TerminalSession } from '../../backends/backend.ts';
import { baseEnvironment } from '../../backends/base-environment.ts';
import { openBackend } from '../../backends/registry.ts';
import { expandHome } from '../../config/home.ts';
import type { Config } from '../../config/schema.ts';
import { PortError } from '../../lib/port-error.ts';
import type { Core } from '../core.ts';

/** The environments commands run in. */
export interface Terminals {
  /** Opens the person's environment, made where there is none (any more). Rejects with a PortError `Terminal.*`. */
  open(who: { readonly conversationId: string; readonly personId: string }): Promise<TerminalSession>;
  /** Forgets old runs now and once a day, until the signal aborts. Never throws; what goes wrong is logged. */
  keepClean(until: AbortSignal): void;
}

const dayMs = 24 * 60 * 60 * 1_000;
/** How long a command's output can still be read; what the model has read of it stays in the transcript. */
const keepRunsMs = 7 * dayMs;

/** One environment per person; backends are made on first use and again when their settings change. */
export function createTerminals(core: Pick<Core, 'env' | 'paths' | 'source' | 'log'>): Terminals {
  let made: { readonly key: string; readonly backend: Promise<Backend> } | null = null;
  const handles = new Map<string, Promise<EnvironmentHandle>>();

  const backendOf = (config: Config): Promise<Backend> => {
    const key = JSON.stringify([config.terminal.backend, config.terminal.cwd, config.terminal.envPassthrough]);
    if (made?.key !== key) {
      const backend = makeBackend(core, config);
      made = { key, backend };
      handles.clear();
      // Tried again at the next use: a folder that cannot be made may be one a moment later.
      backend.catch(() => {
        if (made?.backend === backend) made = null;
      });
    }
    return made.backend;
  };
  const handleOf = (backend: Backend, personId: string): Promise<EnvironmentHandle> => {
    const known = handles.get(personId);
    if (known !== undefined) return known;
    const handle = backend.create(personId);
    handles.set(personId, handle);
    handle.catch(() => forget(personId, handle));
    return handle;
  };
  const forget = (personId: string, handle: Promise<EnvironmentHandle>): void => {
    if (handles.get(personId) === handle) handles.delete(personId);
  };
  const sweep = async (): Promise<void> => {
    try {
      const backend = await backendOf(core.source.current());
      const forgotten = await backend.sweep({ olderThanMs: keepRunsMs, known: await Promise.all(handles.values()) });
      if (forgotten > 0) core.log.info({ forgotten }, 'old command records removed');
    } catch (error) {
      core.log.warn({ error: error instanceof Error ? error.message : String(error) }, 'old command records stay');
    }
  };

  return {
    open: async ({ personId }) => {
      const backend = await backendOf(core.source.current());
      const handle = handleOf(backend, personId);
      try {
        return await backend.connect(await handle);
      } catch (error) {
        if (!PortError.is(error) || error.code !== 'Terminal.SessionLost') throw error;
        // Somebody has removed it. Once more from the start; an environment that is lost at once is an outage.
        core.log.warn({ personId, backend: backend.id }, 'the environment was gone; making it again');
        forget(personId, handle);
        return backend.connect(await handleOf(backend, personId));
      }
    },
    keepClean: (until) => {
      if (until.aborted) return;
      void sweep();
      const timer = setInterval(() => void sweep(), dayMs);
      timer.unref();
      until.addEventListener('abort', () => clearInterval(timer), { once: true });
    },
  };
}

async function makeBackend(core: Pick<Core, 'env' | 'paths'>, config: Config): Promise<Backend> {
  await mkdir(core.paths.runsDir, { recursive: true, mode: 0o700 });
  return openBackend(config.terminal.backend, {
    local: {
      runsDir: core.paths.runsDir,
      cwd: expandHome(config.terminal.cwd ?? '~', core.env),
      baseEnv: baseEnvironment(core.env, config.terminal.envPassthrough),
    },
  });
}
