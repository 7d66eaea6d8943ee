import { fields, type Fields, words } from '../json-fields.ts';
import { listOf } from './fields.ts';

/** Stands where a mention of the bot was. */
export const ownMention = '\u0000';

/**
 * A message that was typed into Slack's own editor as Markdown: there what is formatting and what is a literal sign is told
 * apart. Null when it is not such a message. Pure.
 */
export function richTextToMarkdown(blocks: unknown, self: string): string | null {
  const all = listOf(blocks);
  if (all.length === 0 || all.some((block) => block['type'] !== 'rich_text')) return null;
  return all
    .flatMap((block) => listOf(block['elements']))
    .map((element) => paragraph(element, self))
    .join('')
    .trimEnd();
}

function paragraph(element: Fields, self: string): string {
  const inner = (): string => inlines(element['elements'], self);
  switch (element['type']) {
    case 'rich_text_preformatted':
      return `\`\`\`\n${plain(element['elements']).replace(/\n$/, '')}\n\`\`\`\n`;
    case 'rich_text_quote':
      return `${inner().replace(/^/gm, '> ')}\n`;
    case 'rich_text_list':
      return list(element, self);
    default:
      return inner();
  }
}

function list(element: Fields, self: string): string {
  const depth = Math.min(8, Math.max(0, Math.trunc(Number(element['indent'])) || 0));
  return listOf(element['elements'])
    .map((item, index) => {
      const mark = element['style'] === 'ordered' ? `${index + 1}.` : '-';
      return `${'  '.repeat(depth)}${mark} ${inlines(item['elements'], self)}\n`;
    })
    .join('');
}

function inlines(elements: unknown, self: string): string {
  return listOf(elements)
    .map((one) => inline(one, self))
    .join('');
}

function plain(elements: unknown): string {
  return listOf(elements)
    .map((one) => words(one['text']) ?? words(one['url']) ?? '')
    .join('');
}

function inline(one: Fields, self: string): string {
  const text = words(one['text']) ?? '';
  switch (one['type']) {
    case 'text':
      return styled(text, fields(one['style']));
    case 'link':
      return link(words(one['url']) ?? '', text);
    case 'emoji':
      return emoji(one);
    default:
      return mention(one, self) ?? text;
  }
}

function link(url: string, text: string): string {
  return text === '' || text === url ? url : `[${text}](${url})`;
}

function mention(one: Fields, self: string): string | null {
  switch (one['type']) {
    case 'user':
      return one['user_id'] === self ? ownMention : `@${words(one['user_id']) ?? ''}`;
    case 'usergroup':
      return `@${words(one['usergroup_id']) ?? ''}`;
    case 'channel':
      return `#${words(one['channel_id']) ?? ''}`;
    case 'broadcast':
      return `@${words(one['range']) ?? 'here'}`;
    case 'date':
      return words(one['fallback']);
    default:
      return null;
  }
}

function styled(text: string, style: Fields): string {
  // Marks stand at the words: spaces around them stay outside.
  const [, before = '', core = '', after = ''] = /^(\s*)([^]*?)(\s*)$/.exec(text) ?? [];
  if (core === '') return text;
  let marked = core;
  if (style['code'] === true) return `${before}\`${marked}\`${after}`;
  if (style['italic'] === true) marked = `_${marked}_`;
  if (style['bold'] === true) marked = `**${marked}**`;
  if (style['strike'] === true) marked = `~~${marked}~~`;
  return `${before}${marked}${after}`;
}

function emoji(one: Fields): string {
  const points = (words(one['unicode']) ?? '').split('-').map((hex) => Number.parseInt(hex, 16));
  const known = points.every((point) => point > 0 && point <= 0x10ffff);
  return known ? String.fromCodePoint(...points) : `:${words(one['name']) ?? ''}:`;
}
