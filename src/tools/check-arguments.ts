import type { z } from 'zod';
import { nearestName } from './nearest-name.ts';

export type CheckedArguments =
  { readonly ok: true; readonly input: unknown } | { readonly ok: false; readonly problem: string };

/** Checks arguments against a tool's schema; numbers and booleans written as text are taken as meant. */
export function checkArguments(schema: z.ZodType, value: Readonly<Record<string, unknown>>): CheckedArguments {
  const first = schema.safeParse(withoutNulls(value));
  if (first.success) return { ok: true, input: first.data };
  const second = schema.safeParse(converted(withoutNulls(value), first.error.issues));
  if (second.success) return { ok: true, input: second.data };
  const { issues } = first.error;
  const missing = issues.filter(isMissing).map((issue) => issue.path.map(String).join('.'));
  const names = Object.keys(fieldsOf(schema));
  return { ok: false, problem: issues.map((issue) => describe(issue, names, missing)).join(' ') };
}

export function fieldsOf(schema: z.ZodType): Readonly<Record<string, unknown>> {
  return 'shape' in schema && typeof schema.shape === 'object' && schema.shape !== null
    ? (schema.shape as Readonly<Record<string, unknown>>)
    : {};
}

/** Models write null for what they leave out. */
function withoutNulls(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}

type Issue = z.core.$ZodIssue;

function converted(value: Readonly<Record<string, unknown>>, issues: readonly Issue[]): Record<string, unknown> {
  const result: Record<string, unknown> = { ...value };
  for (const issue of issues) {
    const name = String(issue.path[0]);
    const text = result[name];
    if (issue.code !== 'invalid_type' || issue.path.length !== 1 || typeof text !== 'string') continue;
    if (issue.expected === 'number' && text.trim() !== '' && Number.isFinite(Number(text))) result[name] = Number(text);
    if (issue.expected === 'boolean' && /^(?:true|false)$/i.test(text)) result[name] = text.toLowerCase() === 'true';
    if (issue.expected === 'array' && text.trimStart().startsWith('[')) result[name] = parsedArray(text);
  }
  return result;
}

function parsedArray(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function isMissing(issue: Issue): boolean {
  return issue.code === 'invalid_type' && issue.message.includes('received undefined');
}

function describe(issue: Issue, names: readonly string[], missing: readonly string[]): string {
  const field = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys.map((key) => {
      // A wrong name beside a missing field most likely stands for it.
      const near = field !== '' ? null : missing.length === 1 ? (missing[0] ?? null) : nearestName(key, names);
      return `\`${key}\`${near === null ? '' : ` (meant \`${near}\`?)`}`;
    });
    const known = field === '' ? ` Fields are ${names.map((name) => `\`${name}\``).join(', ')}.` : '';
    return `Unknown field ${unknown.join(', ')}${field === '' ? '' : ` in \`${field}\``}.${known}`;
  }
  if (isMissing(issue)) return `Field \`${field}\` is missing.`;
  return `Field \`${field}\`: ${issue.message}.`;
}
