import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PortError } from '../../../src/lib/port-error.ts';
import { itIf } from '../backends/fact-if.ts';
import type { Subject } from './conformance.ts';

// The same payloads every time, unless others are asked for.
const seed = Number(process.env['HERMES_FC_SEED'] ?? 20_261_122);

export function malformedFacts(subject: Subject): void {
  const { cast, bench } = subject;

  describe('what is no event', () => {
    it('10,000 bent payloads: none throws, and what comes of them is well-formed', () => {
      fc.assert(
        fc.property(bent(subject.samples), (payload) => {
          expectWellFormed(subject.parse(payload));
        }),
        { numRuns: 10_000, seed },
      );
    });

    it('payloads as they are give events', () => {
      for (const sample of subject.samples) expectWellFormed(subject.parse(sample));
      const events = subject.samples.flatMap((sample) => eventsOf(subject.parse(sample)));
      expect(events.length).toBeGreaterThanOrEqual(subject.samples.length);
    });

    itIf(subject.has('malformed'))(
      'nonsense on the wire holds up nothing',
      async () => {
        for (const payload of fc.sample(bent(subject.samples), { numRuns: 40, seed }))
          await bench().server.malformed(payload);
        await bench().server.says({ chat: cast.direct, from: cast.anna, text: 'still there?' });
        await bench().inbox.event((event) => event.kind === 'message' && event.text === 'still there?', 30_000);
        await bench().connection().probe();
      },
      60_000,
    );
  });
}

/** Any JSON, and real payloads with one to three of their values replaced, removed or blown up. */
function bent(samples: readonly unknown[]): fc.Arbitrary<unknown> {
  const nonsense = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(null, '', -1, 0, 1e308, 2 ** 53, true, [], {}, [[]], '\ud800', 'x'.repeat(5_000), '__proto__'),
  );
  const place = fc.array(fc.nat(30), { minLength: 1, maxLength: 6 });
  const change = fc.record({ place, value: fc.option(nonsense, { nil: undefined }) });
  return fc.oneof(
    { weight: 1, arbitrary: nonsense },
    {
      weight: 5,
      arbitrary: fc
        .tuple(fc.constantFrom(...samples), fc.array(change, { minLength: 1, maxLength: 3 }))
        .map(([sample, changes]) =>
          changes.reduce((value: unknown, one) => changed(value, one.place, one.value), sample),
        ),
    },
  );
}

/** @returns a copy with another value at a place; undefined takes the place away. */
function changed(value: unknown, [step = 0, ...further]: readonly number[], to: unknown): unknown {
  if (typeof value !== 'object' || value === null) return to ?? null;
  const names = Object.keys(value);
  const name = names[step % Math.max(1, names.length)];
  if (name === undefined) return to ?? null;
  const copy: Record<string, unknown> = { ...(value as Record<string, unknown>) };
  if (further.length === 0 && to === undefined) Reflect.deleteProperty(copy, name);
  else copy[name] = further.length === 0 ? to : changed(copy[name], further, to);
  return Array.isArray(value) ? Object.values(copy) : copy;
}

function eventsOf(result: unknown): readonly Record<string, unknown>[] {
  return (Array.isArray(result) ? result : [result]).filter(
    (one): one is Record<string, unknown> => typeof one === 'object' && one !== null && 'kind' in one,
  );
}

function expectWellFormed(result: unknown): void {
  for (const one of Array.isArray(result) ? (result as unknown[]) : [result]) {
    if (one === null || one === undefined || PortError.is(one)) continue;
    const event = one as Record<string, unknown>;
    const sound =
      typeof event['key'] === 'string' &&
      event['key'] !== '' &&
      event['key'].length <= 150 &&
      ['message', 'command', 'button', 'gone'].includes(String(event['kind'])) &&
      hasText(event['chat'], 'id') &&
      hasText(event['sender'], 'id') &&
      hasText(event['sender'], 'name', true) &&
      Number.isFinite(Date.parse(String(event['at']))) &&
      soundByKind(event);
    if (!sound) expect.fail(`not a well-formed event: ${JSON.stringify(event)}`);
  }
}

function soundByKind(event: Record<string, unknown>): boolean {
  switch (event['kind']) {
    case 'message':
      return (
        typeof event['text'] === 'string' &&
        hasText(event, 'messageId') &&
        typeof event['addressed'] === 'boolean' &&
        Array.isArray(event['files']) &&
        event['files'].every((file) => hasText(file, 'name', true) && hasText(file, 'mediaType'))
      );
    case 'command':
      return hasText(event, 'name') && typeof event['args'] === 'string';
    case 'button':
      return typeof event['data'] === 'string' && hasText(event, 'messageId');
    default:
      return typeof event['reason'] === 'string';
  }
}

function hasText(value: unknown, name: string, mayBeEmpty = false): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const text: unknown = (value as Record<string, unknown>)[name];
  return typeof text === 'string' && (mayBeEmpty || text !== '');
}
