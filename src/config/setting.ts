import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { nearest } from './nearest.ts';
import { Secret } from './secret.ts';

/**
 * One key of the configuration: what it accepts, what it is when nobody sets it, and what it means.
 * Values are JSON as YAML gives them; `null` where allowed means "not set".
 */
export interface Setting<T = unknown> {
  readonly schema: z.ZodType<T>;
  readonly default: T;
  readonly description: string;
  /** What it accepts, in words, for messages and the page. */
  readonly accepts: string;
  readonly secret: boolean;
  /** Variables that set it beside HERMES_<SECTION>_<KEY>. */
  readonly env: readonly string[];
  /** Turns a variable's or an argument's text into what YAML would have given; does not validate. */
  readonly fromText: (text: string) => unknown;
  /** The valid value that was probably meant, as text, or null. */
  readonly suggest: (raw: unknown, source?: string) => string | null;
}

interface Describe<D> {
  readonly default: D;
  readonly description: string;
  readonly env?: readonly string[];
}

/** Text with something in it, on one line unless `lines` is set. */
export function text<D extends string | null>(
  options: Describe<D> & { readonly lines?: true },
): Setting<string | (D & null)> {
  const schema = options.lines ? z.string().trim().min(1) : singleLine;
  return setting(options, { schema, accepts: options.lines ? 'text, also of several lines' : 'text', suggest: quoted });
}

export function choice<const C extends string, D extends C | null>(
  choices: readonly C[],
  options: Describe<D>,
): Setting<C | (D & null)> {
  const suggest = (raw: unknown): string | null => (isScalar(raw) ? nearest(String(raw), choices) : null);
  return setting(options, { schema: z.enum(choices), accepts: `one of ${choices.join(', ')}`, suggest });
}

export function flag(options: Describe<boolean>): Setting<boolean> {
  const words: Readonly<Record<string, string>> = {
    yes: 'true',
    on: 'true',
    1: 'true',
    no: 'false',
    off: 'false',
    0: 'false',
  };
  const suggest = (raw: unknown): string | null => {
    if (!isScalar(raw)) return null;
    const word = String(raw).trim().toLowerCase();
    return words[word] ?? nearest(word, ['true', 'false']);
  };
  return setting(options, { schema: z.boolean(), accepts: 'true or false', suggest, fromText: typed });
}

interface Range {
  readonly min: number;
  readonly max: number;
}

export function whole<D extends number | null>(options: Describe<D> & Range): Setting<number | (D & null)> {
  return numeric(options, z.int(), 'a whole number');
}

export function amount<D extends number | null>(options: Describe<D> & Range): Setting<number | (D & null)> {
  return numeric(options, z.number(), 'a number');
}

/** Timers of the platform overflow above this many milliseconds. */
export const maxTimerMs = 2_147_483_647;

function numeric<D extends number | null>(
  options: Describe<D> & Range,
  base: z.ZodNumber | z.ZodInt,
  noun: string,
): Setting<number | (D & null)> {
  const { min, max } = options;
  const suggest = (raw: unknown): string | null => {
    const meant = numberMeant(raw);
    if (meant === null) return null;
    const rounded = base instanceof z.ZodNumberFormat ? Math.round(meant) : meant;
    return String(Math.min(max, Math.max(min, rounded)));
  };
  const accepts = `${noun}, ${min} to ${max}`;
  return setting(options, { schema: base.min(min).max(max), accepts, suggest, fromText: typed });
}

export function list(
  options: Describe<readonly string[]> & { readonly item?: z.ZodType<string>; readonly accepts?: string },
): Setting<readonly string[]> {
  const schema = z.array(options.item ?? singleLine).readonly();
  const suggest = (raw: unknown): string | null =>
    typeof raw === 'string' && raw.trim() !== '' && schema.safeParse(parts(raw)).success
      ? JSON.stringify(parts(raw))
      : null;
  return setting(options, { schema, accepts: options.accepts ?? 'a list of texts', suggest, fromText: listFromText });
}

export function url<D extends string | null>(options: Describe<D>): Setting<string | (D & null)> {
  const schema = singleLine.refine(isWebAddress);
  const suggest = (raw: unknown): string | null => {
    if (typeof raw !== 'string' || /^[a-z][a-z0-9+.-]*:\/\//i.test(raw) || !/^[^\s/]+\.|^localhost|:\d/.test(raw))
      return null;
    const guess = `${/^(localhost|127\.|\[::1\])/.test(raw) ? 'http' : 'https'}://${raw.trim()}`;
    return isWebAddress(guess) ? guess : null;
  };
  return setting(options, { schema, accepts: 'an address that starts with http:// or https://', suggest });
}

/** A file of this machine; a leading `~` is the home folder and is expanded by the loader. */
export function file(options: Describe<null>): Setting<string | null> {
  const schema = singleLine.refine((path) => isAbsolute(path) || path === '~' || path.startsWith('~/'));
  return setting(options, { schema, accepts: 'an absolute path, or one that starts with ~/', suggest: () => null });
}

/** Read as text, held as {@link Secret}, kept in secrets.yaml. */
export function secret(options: Omit<Describe<null>, 'default'>): Setting<Secret | null> {
  const schema = singleLine.transform((value) => new Secret(value)).nullable();
  return {
    ...setting({ ...options, default: null }, { schema, accepts: 'text', suggest: () => null }),
    secret: true,
  };
}

const singleLine = z
  .string()
  .trim()
  .min(1)
  .regex(/^[^\r\n\0]*$/);

interface Rules<T> {
  readonly schema: z.ZodType<T>;
  readonly accepts: string;
  readonly suggest: (raw: unknown, source?: string) => string | null;
  readonly fromText?: (text: string) => unknown;
}

function setting<T, D>(options: Describe<D>, rules: Rules<T>): Setting<T | (D & null)> {
  const optional = options.default === null;
  return {
    schema: (optional ? rules.schema.nullable() : rules.schema) as z.ZodType<T | (D & null)>,
    default: options.default as T | (D & null),
    description: options.description,
    accepts: rules.accepts,
    secret: false,
    env: options.env ?? [],
    fromText: rules.fromText ?? ((value) => value),
    suggest: rules.suggest,
  };
}

type Scalar = string | number | boolean | bigint;
function isScalar(raw: unknown): raw is Scalar {
  return ['string', 'number', 'boolean', 'bigint'].includes(typeof raw);
}

/** YAML reads `4.10` as a number and would lose the zero; the person is told to put quotes. */
function quoted(raw: unknown, source?: string): string | null {
  return isScalar(raw) && typeof raw !== 'string' ? JSON.stringify(source ?? String(raw)) : null;
}

/** `true`, `false`, `null` and numbers as what they say; everything else stays text and fails validation. */
function typed(value: string): unknown {
  const word = value.trim();
  if (word === 'true') return true;
  if (word === 'false') return false;
  if (word === 'null') return null;
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(word) ? Number(word) : value;
}

function listFromText(value: string): unknown {
  const trimmed = value.trim();
  if (!trimmed.startsWith('[')) return parts(trimmed);
  try {
    return JSON.parse(trimmed) as unknown;
  } catch {
    // Brackets without quotes, as YAML allows them. Anything worse is refused by the schema.
    return trimmed.endsWith(']') && !/["'[\]{}]/.test(trimmed.slice(1, -1)) ? parts(trimmed.slice(1, -1)) : value;
  }
}

function parts(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };

/** Reads `5_000_000`, `"90"`, `$5` and, as milliseconds, `10m`. */
function numberMeant(raw: unknown): number | null {
  if (typeof raw === 'number') return Number.isFinite(raw) ? raw : null;
  if (typeof raw !== 'string') return null;
  const match = /^\$?\s*(-?\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?$/.exec(raw.trim().replaceAll(/(?<=\d)[_,'](?=\d{3})/g, ''));
  if (match === null) return null;
  return Number(match[1]) * (unitsMs[match[2] ?? 'ms'] ?? 1);
}

function isWebAddress(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
}
