import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Status } from '../contracts/api.ts';
import type { Models } from './compose/models.ts';
import type { Core } from './core.ts';
import type { TemporalLink } from './temporal-link.ts';
import { version } from './version.ts';

const temporalRunSchema = z.object({
  address: z.string(),
  uiUrl: z.string().nullish(),
  pid: z.number().nullish(),
});
const pidRunSchema = z.object({ pid: z.number() });

/** How this installation stands, as `hermes status` shows it. */
export async function readStatus(
  core: Core,
  parts: { readonly api: string; readonly models: Models; readonly link: TemporalLink | null },
): Promise<Status> {
  const { store, paths, source } = core;
  const [temporal, worker, gateway, running, waiting] = await Promise.all([
    readRun(paths.run.temporal, temporalRunSchema),
    readRun(paths.run.worker, pidRunSchema),
    readRun(paths.run.gateway, pidRunSchema),
    store.turns.running(),
    store.approvals.list({ state: 'waiting', limit: 1000 }),
  ]);
  return {
    ready: parts.link !== null && worker !== null,
    version,
    home: paths.home,
    api: { url: parts.api, tokenFile: paths.apiTokenFile },
    temporal: {
      address: parts.link?.address ?? temporal?.address ?? '',
      uiUrl: temporal?.uiUrl ?? null,
      pid: temporal?.pid ?? null,
    },
    worker: { pid: worker?.pid ?? null },
    gateway: { pid: gateway?.pid ?? null },
    model: parts.models.gateway.describe(null).label,
    backend: source.current().terminal.backend,
    openTurns: running.length,
    waitingApprovals: waiting.length,
  };
}

async function readRun<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
