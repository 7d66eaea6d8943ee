import type { Environment } from './home.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { allSettings, sections } from './schema.ts';

export interface EnvironmentReading {
  /** Only variables that set something; an empty one counts as not set. */
  readonly values: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

const known: ReadonlySet<string> = new Set(allSettings().flatMap(({ env }) => env));
const ours = new RegExp(`^HERMES_(${[...Object.keys(sections), 'providers'].join('|').toUpperCase()})_`);

/**
 * Picks the variables that set something. One that looks like ours and is none is a warning, not an error: the
 * environment belongs to others too.
 */
export function readEnvironment(env: Environment): EnvironmentReading {
  const values = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (known.has(name)) {
      if (value !== undefined && value.trim() !== '') values.set(name, value);
    } else if (ours.test(name)) {
      const message = `${name} sets nothing`;
      const suggestion = nearest(name, [...known]);
      problems.push({
        kind: 'unknown-key',
        severity: 'warning',
        where: 'environment',
        line: null,
        key: name,
        message,
        suggestion,
      });
    }
  }
  return { values, problems };
}
