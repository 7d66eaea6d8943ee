import { extname, join } from 'node:path';

/** A program of this installation, as arguments for node. */
export interface Entry {
  readonly script: string;
  readonly nodeArgs: readonly string[];
}

const workers = join(import.meta.dirname, '..');

/**
 * A program below `workers/`: compiled beside this file, or its source (through tsx) when this file runs as source.
 * `path` has no extension.
 */
export function workerEntry(path: string, nodeArgs: readonly string[] = []): Entry {
  const extension = extname(import.meta.filename);
  const loader = extension === '.ts' ? ['--import', import.meta.resolve('tsx')] : [];
  return { script: join(workers, `${path}${extension}`), nodeArgs: [...nodeArgs, ...loader] };
}

/** The supervisor holds little, so it is told to stay small. */
export const supervisorEntry = (): Entry =>
  workerEntry('supervisor', ['--max-old-space-size=64', '--max-semi-space-size=1']);

/** Limits that keep a service small: V8 fills whatever room it is given before it cleans up. See docs/performance.md. */
export const serviceEntry = (): Entry => workerEntry('main', ['--max-old-space-size=384', '--max-semi-space-size=4']);
