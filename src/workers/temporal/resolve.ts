import { join } from 'node:path';
import type { Report } from '../problem.ts';
import { ensureTemporalBinary, type TemporalBinary } from './binary.ts';
import { findExternalTemporal, type ExternalTemporal, type TemporalSettings } from './external.ts';

/** A server to start ourselves, with the binary to do it. */
export interface EmbeddedTemporal {
  readonly kind: 'embedded';
  readonly namespace: string;
  readonly binary: TemporalBinary;
}

/**
 * Where Temporal comes from, in this order: what a person has named (see findExternalTemporal), else an embedded
 * server of the pinned release, found or fetched (see ensureTemporalBinary). Throws StartProblem.
 */
export async function resolveTemporal(
  settings: TemporalSettings,
  homeDir: string,
  options: { readonly env: NodeJS.ProcessEnv; readonly report: Report },
): Promise<ExternalTemporal | EmbeddedTemporal> {
  const external = await findExternalTemporal(settings, options.env);
  if (external !== undefined) return external;
  const binary = await ensureTemporalBinary({ ...options, cacheDirs: binaryCaches(homeDir) });
  return { kind: 'embedded', namespace: settings.namespace, binary };
}

/** Folders that may hold the binary: the home's, then one inside this installation that tests and new homes share. */
export function binaryCaches(homeDir: string): string[] {
  return [join(homeDir, 'bin'), projectCache()];
}

/** The installation's own cache, ignored by git and untouched by `npm ci`. */
export function projectCache(): string {
  // The same depth in src/ and dist/.
  return join(import.meta.dirname, '..', '..', '..', '.cache', 'temporal');
}
