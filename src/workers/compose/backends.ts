import { mkdir } from 'node:fs/promises';
import type { Backend } from '../../backends/backend.ts';
import type { Config } from '../../config/schema.ts';
import type { Core } from '../core.ts';
import { backendOptions, openConfiguredBackend } from './backend-options.ts';

/** The backends of this process, each made on first use and again when its own settings have changed. */
export interface Backends {
  /** As it is configured now. Rejects with a PortError. */
  of(id: string): Promise<Backend>;
  /** Lets go of all connections. Never throws. */
  close(): Promise<void>;
}

/** Where backends come from. */
export interface BackendSource {
  open(id: string, config: Config): Promise<Backend>;
  /** Changes when the backend must be made anew. May hold secrets; stays in memory. */
  fingerprint(id: string, config: Config): string;
}

interface Made {
  readonly config: Config;
  readonly fingerprint: string;
  readonly backend: Promise<Backend>;
}

export function createBackends(
  core: Pick<Core, 'env' | 'paths' | 'source' | 'log'>,
  from: BackendSource = configuredBackends(core),
): Backends {
  const made = new Map<string, Made>();
  const letGo = async (backend: Promise<Backend>): Promise<void> => {
    try {
      await (await backend).close();
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      core.log.warn({ error: words }, 'connections of a backend could not be closed');
    }
  };
  return {
    of: (id) => {
      const config = core.source.current();
      const known = made.get(id);
      if (known?.config === config) return known.backend;
      const fingerprint = from.fingerprint(id, config);
      if (known?.fingerprint === fingerprint) {
        made.set(id, { ...known, config });
        return known.backend;
      }
      if (known !== undefined) void letGo(known.backend);
      const backend = from.open(id, config);
      made.set(id, { config, fingerprint, backend });
      // Tried again at the next use: a folder that cannot be made may be one a moment later.
      backend.catch(() => {
        if (made.get(id)?.backend === backend) made.delete(id);
      });
      return backend;
    },
    close: async () => {
      const all = [...made.values()];
      made.clear();
      await Promise.all(all.map(({ backend }) => letGo(backend)));
    },
  };
}

function configuredBackends({ env, paths }: Pick<Core, 'env' | 'paths'>): BackendSource {
  const { home, runsDir } = paths;
  return {
    open: async (id, config) => {
      await mkdir(runsDir, { recursive: true, mode: 0o700 });
      return openConfiguredBackend(id, { config, home, env });
    },
    fingerprint: (id, config) => {
      const options = new Map<string, unknown>(Object.entries(backendOptions({ config, home, env })));
      return JSON.stringify(options.get(id) ?? null);
    },
  };
}
