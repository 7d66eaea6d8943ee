import { ApiError } from './telegram-api-error.ts';

const tags = new Set('b strong i em u ins s strike del a code pre tg-spoiler span blockquote tg-emoji'.split(' '));

/** Throws as the platform does for HTML it does not take: unknown, unclosed or crossed tags, unknown entities. */
export function expectEntities(html: string): void {
  const open: string[] = [];
  for (const [whole, end, name = ''] of html.matchAll(/<(\/?)([^\s>]*)[^>]*>?/g)) {
    if (!whole.endsWith('>')) refuse('Unclosed start tag');
    if (end === '/') {
      if (open.pop() !== name.toLowerCase()) refuse(`Unexpected end tag "${name}"`);
    } else {
      if (!tags.has(name.toLowerCase())) refuse(`Unsupported start tag "${name}"`);
      open.push(name.toLowerCase());
    }
  }
  if (open.length > 0) refuse(`Can't find end tag corresponding to start tag "${open.at(-1) ?? ''}"`);
}

function refuse(why: string): never {
  throw new ApiError(400, `Bad Request: can't parse entities: ${why}`);
}
