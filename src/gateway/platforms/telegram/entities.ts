import { fieldsOf, textOf } from './fields.ts';
import type { Me } from './read-event.ts';

export interface Written {
  readonly text: string;
  /** As it came. */
  readonly entities: unknown;
}

/** A part of the text, in UTF-16 units, that lies within it. */
export interface Entity {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly url: string | null;
  readonly language: string | null;
  readonly userId: unknown;
}

const mostEntities = 200;

export function entitiesOf({ text, entities }: Written): readonly Entity[] {
  if (!Array.isArray(entities)) return [];
  return entities.slice(0, mostEntities).flatMap((one: unknown) => {
    const fields = fieldsOf(one);
    const { offset, length } = fields ?? {};
    if (typeof offset !== 'number' || typeof length !== 'number') return [];
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 1) return [];
    if (offset + length > text.length) return [];
    return {
      type: textOf(fields?.['type']) ?? '',
      start: offset,
      end: offset + length,
      url: textOf(fields?.['url']),
      language: textOf(fields?.['language']),
      userId: fieldsOf(fields?.['user'])?.['id'],
    };
  });
}

/** Where the account is mentioned, by its name or, for people who see no names, by a link. */
export function mentionsOf(written: Written, me: Me): readonly Entity[] {
  const name = `@${me.username}`.toLowerCase();
  return entitiesOf(written).filter(
    ({ type, start, end, userId }) =>
      (type === 'mention' && written.text.slice(start, end).toLowerCase() === name) ||
      (type === 'text_mention' && userId === me.id),
  );
}

/** The command a text begins with. A path such as /usr/bin is none, though the platform marks its first part as one. */
export function commandIn(
  written: Written,
  me: Me,
): { readonly name: string; readonly args: string } | 'for another' | null {
  const first = entitiesOf(written).find(({ type, start }) => type === 'bot_command' && start === 0);
  if (first === undefined) return null;
  const [, name, bot] = /^\/(\w+)(?:@(\w+))?$/.exec(written.text.slice(0, first.end)) ?? [];
  const rest = written.text.slice(first.end);
  if (name === undefined || !/^(\s|$)/.test(rest)) return null;
  if (bot !== undefined && bot.toLowerCase() !== me.username.toLowerCase()) return 'for another';
  return { name, args: rest.trim() };
}
