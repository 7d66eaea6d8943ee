import { mkdir } from 'node:fs/promises';
import type { Backend, EnvironmentHandle, TerminalSession } from '../../backends/backend.ts';
import { baseEnvironment } from '../../backends/base-environment.ts';
import { openBackend } from '../../backends/registry.ts';
import { expandHome } from '../../config/home.ts';
import type { Config } from '../../config/schema.ts';
import type { Core } from '../core.ts';

/** Opens the environment a conversation's commands run in. */
export interface Terminals {
  open(who: { readonly conversationId: string; readonly personId: string }): Promise<TerminalSession>;
}

/** One environment per person; backends are made on first use and again when their settings change. */
export function createTerminals(core: Core): Terminals {
  let made: { readonly key: string; readonly backend: Promise<Backend> } | null = null;
  const handles = new Map<string, Promise<EnvironmentHandle>>();

  const backendOf = (config: Config): Promise<Backend> => {
    const key = JSON.stringify([config.terminal.backend, config.terminal.cwd, config.terminal.envPassthrough]);
    if (made?.key !== key) {
      made = { key, backend: makeBackend(core, config) };
      handles.clear();
    }
    return made.backend;
  };
  return {
    open: async ({ personId }) => {
      const backend = await backendOf(core.source.current());
      let handle = handles.get(personId);
      if (handle === undefined) {
        handle = backend.create(personId);
        handles.set(personId, handle);
        handle.catch(() => handles.delete(personId));
      }
      return backend.connect(await handle);
    },
  };
}

async function makeBackend(core: Core, config: Config): Promise<Backend> {
  await mkdir(core.paths.runsDir, { recursive: true, mode: 0o700 });
  return openBackend(config.terminal.backend, {
    local: {
      runsDir: core.paths.runsDir,
      cwd: expandHome(config.terminal.cwd ?? '~', core.env),
      baseEnv: baseEnvironment(core.env, config.terminal.envPassthrough),
    },
  });
}
