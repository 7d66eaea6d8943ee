import { editDistance } from './nearest.ts';
import { isProviderId, providerIds, type ProviderId } from '../domain/model-providers.ts';

/** A model as people write it: `openrouter:vendor/name`, or only a name at the current provider. */
export type ModelRef =
  | { readonly ok: true; readonly provider: ProviderId | null; readonly name: string | null }
  | { readonly ok: false; readonly message: string; readonly suggestion: string | null };

/**
 * Splits `PROVIDER:NAME`. Names may hold colons themselves (`llama3:8b`), so what stands before the first one counts
 * as a provider only if it is one; a slip of one letter is refused with the right word. `PROVIDER:` and a bare
 * provider's id mean its usual model (`name` null).
 */
export function parseModelRef(input: string): ModelRef {
  const ref = input.trim();
  if (ref === '' || /\s/.test(ref)) return { ok: false, message: 'expected PROVIDER:NAME', suggestion: null };
  if (isProviderId(ref)) return { ok: true, provider: ref, name: null };
  const colon = ref.indexOf(':');
  if (colon < 0) return { ok: true, provider: null, name: ref };
  const head = ref.slice(0, colon);
  const name = ref.slice(colon + 1);
  if (isProviderId(head)) return { ok: true, provider: head, name: name === '' ? null : name };
  const meant = providerIds.find((id) => editDistance(id, head.toLowerCase()) <= 1);
  if (meant !== undefined) {
    return { ok: false, message: `there is no provider "${head}"`, suggestion: `${meant}:${name}` };
  }
  if (head === '') return { ok: false, message: 'expected PROVIDER:NAME', suggestion: null };
  return { ok: true, provider: null, name: ref };
}
