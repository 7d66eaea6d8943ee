import { findSetting, type NamedSetting } from './schema.ts';

export type Checked =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string; readonly suggestion: string | null };

/**
 * Checks one value as YAML gave it.
 *
 * @param source How it was written, where that is known: YAML has lost the zero of `4.10`. A refusal never repeats the value of a secret.
 */
export function checkValue({ key, setting }: NamedSetting, raw: unknown, source: string | null = null): Checked {
  const parsed = setting.schema.safeParse(raw);
  if (parsed.success) return { ok: true, value: parsed.data };
  const found = setting.secret ? '' : `, found ${typeof raw === 'string' ? shown(raw) : (source ?? shown(raw))}`;
  return {
    ok: false,
    message: `${key} takes ${setting.accepts}${found}`,
    suggestion: setting.secret ? null : setting.suggest(raw, source ?? undefined),
  };
}

/** Checks one value as a person types it for a key that exists. */
export function checkText(key: string, text: string): Checked {
  const named = findSetting(key);
  if (named === undefined) throw new Error(`there is no key ${key}`);
  return checkValue(named, named.setting.fromText(text));
}

function shown(raw: unknown): string {
  const text = JSON.stringify(raw, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) as
    string | undefined;
  if (text === undefined) return typeof raw;
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
