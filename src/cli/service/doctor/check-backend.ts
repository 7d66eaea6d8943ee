import { loadConfig } from '../../../config/load.ts';
import { openConfiguredBackend } from '../../../workers/compose/backend-options.ts';
import type { Check } from './finding.ts';

/** Tries the machine that commands run on, as its first command would. */
export const checkBackend: Check = async ({ home, env }) => {
  const { config } = loadConfig({ home, env });
  const backend = await openConfiguredBackend(config.terminal.backend, { config, home, env });
  try {
    const { usable, detail, fix } = await backend.check();
    const name = 'backend';
    const words = `${backend.id}: ${detail}`;
    if (usable) return [{ name, state: 'fine', detail: words }];
    return [{ name, state: 'wrong', detail: words, ...(fix === undefined ? {} : { hint: fix }) }];
  } finally {
    await backend.close();
  }
};
