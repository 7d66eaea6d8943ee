import { z } from 'zod';
import type { StreamEvent } from '../contracts/stream.ts';

const place = { conversationId: z.string().min(1), turn: z.number() };
const step = z.number();
const text = z.string();
const call = { ...place, step, callKey: text, name: text, summary: text };
const inboundIds = z.array(text);

const shapes = {
  'turn-started': z.object({ ...place, kind: z.literal('turn-started'), inboundIds }),
  'step-started': z.object({ ...place, kind: z.literal('step-started'), step, attempt: z.number(), model: text }),
  delta: z.object({
    ...place,
    kind: z.literal('delta'),
    step,
    attempt: z.number(),
    seq: z.number(),
    text,
    channel: z.enum(['answer', 'reasoning']),
  }),
  'tool-started': z.object({ ...call, kind: z.literal('tool-started') }),
  'tool-finished': z.object({
    ...call,
    kind: z.literal('tool-finished'),
    status: z.enum(['ok', 'error', 'denied', 'cancelled', 'timed-out', 'uncertain']),
    preview: text,
    durationMs: z.number(),
  }),
  asked: z.object({
    ...place,
    kind: z.literal('asked'),
    approvalId: text,
    ask: z.enum(['approval', 'question', 'budget']),
    title: text,
    detail: text,
    choices: z.array(text),
  }),
  decided: z.object({ ...place, kind: z.literal('decided'), approvalId: text, decision: text }),
  notice: z.object({ ...place, kind: z.literal('notice'), text }),
  outbox: z.object({ ...place, kind: z.literal('outbox') }),
  'turn-finished': z.object({
    ...place,
    kind: z.literal('turn-finished'),
    outcome: z.enum(['done', 'failed', 'interrupted']),
    inboundIds,
  }),
} as const satisfies { readonly [Kind in StreamEvent['kind']]: z.ZodType<Extract<StreamEvent, { kind: Kind }>> };

const envelope = z.array(z.looseObject({ ...place, kind: z.string() }));

/**
 * Checks what a worker in another process sent: an array of stream events. Kinds and values this version does not know,
 * say from a newer worker, are left out; fields it does not know are dropped.
 *
 * @throws Error when the body is no array of events at all.
 */
export function parseStreamEvents(body: unknown): readonly StreamEvent[] {
  const events = envelope.safeParse(body);
  if (!events.success) throw new Error('expected an array of objects with conversationId, turn and kind');
  return events.data.flatMap((event): StreamEvent[] => {
    if (!isKnown(event.kind)) return [];
    const parsed = shapes[event.kind].safeParse(event);
    return parsed.success ? [parsed.data] : [];
  });
}

function isKnown(kind: string): kind is StreamEvent['kind'] {
  return Object.hasOwn(shapes, kind);
}
