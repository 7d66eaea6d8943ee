import { ownMention, richTextToMarkdown } from './rich-text.ts';

/** What a person wrote, as Markdown and without the mentions of the bot. Pure. */
export function textToMarkdown(message: { readonly text: string; readonly blocks: unknown }, self: string): string {
  const text = richTextToMarkdown(message.blocks, self) ?? toMarkdown(message.text, self);
  return text.replaceAll(`${ownMention} `, '').replaceAll(ownMention, '').trim();
}

/**
 * Slack's own text as Markdown: emphasis, links, mentions and entities. Code stays as it is. Pure, linear.
 * @param self user id of the bot; its mentions are left out.
 */
function toMarkdown(text: string, self: string): string {
  return text
    .split(/(```[^]*?```|`[^`\n]+`)/)
    .map((part, index) => (index % 2 === 1 ? code(part) : prose(part, self)))
    .join('');
}

function code(part: string): string {
  // Inside code Slack still writes links as <url|label>.
  return unescape(part.replace(/<(?:https?|mailto):[^<>|]{1,3000}\|([^<>]{0,3000})>/g, '$1'));
}

function prose(part: string, self: string): string {
  return part
    .split(/(<[^<>]{1,3500}>)/)
    .map((piece, index) => (index % 2 === 1 ? reference(piece.slice(1, -1), self) : emphasis(unescape(piece))))
    .join('');
}

function reference(inner: string, self: string): string {
  const bar = inner.indexOf('|');
  const target = unescape(bar < 0 ? inner : inner.slice(0, bar));
  const label = bar < 0 ? '' : unescape(inner.slice(bar + 1));
  if (target.startsWith('@')) {
    const user = target.slice(1);
    return user === self ? ownMention : `@${label === '' ? user : label}`;
  }
  if (target.startsWith('#')) return `#${label === '' ? target.slice(1) : label}`;
  if (target.startsWith('!')) return label === '' ? `@${target.slice(1)}` : label;
  if (label === '' || label === target || target === `mailto:${label}`) return label === '' ? target : label;
  return `[${label.replace(/([[\]])/g, '\\$1')}](${target})`;
}

/** `*b*`, `_i_`, `~s~` at the edge of words only, as Slack has them. `_i_` is the same in Markdown. */
function emphasis(text: string): string {
  return text
    .replace(/(^|[\s([{"'_~])\*([^\s*](?:[^*\n]{0,2000}[^\s*])?)\*(?=$|[\s.,;:!?)\]}"'_~])/g, '$1**$2**')
    .replace(/(^|[\s([{"'_*])~([^\s~](?:[^~\n]{0,2000}[^\s~])?)~(?=$|[\s.,;:!?)\]}"'_*])/g, '$1~~$2~~');
}

function unescape(text: string): string {
  return text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
}
