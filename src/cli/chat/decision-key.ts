import type { Scope } from '../slash/context.ts';
import type { Ask } from './item.ts';

/**
 * Reads the one-letter answers the chat offers. Whole words are for the service, which knows them in many languages.
 *
 * @returns null for anything else, and where a question waits: any text answers that.
 */
export function readKey(ask: Ask, line: string): { decision: 'approve' | 'deny'; scope: Scope } | null {
  if (ask.kind === 'question') return null;
  switch (line.trim().toLowerCase()) {
    case 'y':
      return { decision: 'approve', scope: 'once' };
    case 'c':
      return { decision: 'approve', scope: 'conversation' };
    case 'a':
      return { decision: 'approve', scope: 'always' };
    case 'n':
      return { decision: 'deny', scope: 'once' };
    default:
      return null;
  }
}
