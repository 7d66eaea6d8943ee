import { describe, it } from 'vitest';

/** A fact of places that claim it; elsewhere it is left out, since a skipped one would look like something missing. */
export function itIf(claimed: boolean): (name: string, fact: () => Promise<void>, timeoutMs?: number) => void {
  return (name, fact, timeoutMs) => {
    if (claimed) it(name, fact, timeoutMs);
  };
}

/** The same for a group of facts. */
export function describeIf(claimed: boolean): (name: string, facts: () => void) => void {
  return (name, facts) => {
    if (claimed) describe(name, facts);
  };
}
