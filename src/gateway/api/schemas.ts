import { z } from 'zod';
import { errorSchema } from '../../contracts/api.ts';

/** Pieces that route descriptions share. */
export function body<S extends z.ZodType, R extends boolean>(schema: S, required: R) {
  return { content: { 'application/json': { schema } }, required };
}

export function answers<S extends z.ZodType>(schema: S, description: string) {
  return {
    200: { description, content: { 'application/json': { schema } } },
    default: { description: 'What went wrong.', content: { 'application/json': { schema: errorSchema } } },
  } as const;
}

/** For answers that are not JSON: the handler builds the response itself. */
export function answersAs<T extends string>(mediaType: T, description: string) {
  return {
    200: { description, content: { [mediaType]: { schema: z.string() } } as Record<T, { schema: z.ZodString }> },
  };
}

export const bearer = [{ token: [] }];
export const conversationParam = z.object({
  idOrName: z.string().min(1).max(300).describe('Id, else name, else title (then the newest). Percent-encoded.'),
});

export function whole(range: { min: number; max: number; default: number }) {
  return z.coerce.number().int().min(range.min).max(range.max).default(range.default);
}
