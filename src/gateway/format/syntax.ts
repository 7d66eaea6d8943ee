import type { Dialect } from '../platforms/platform.ts';
import type { Mark } from './block.ts';

/** How a dialect writes the parts of a document. Every function takes plain words and returns them escaped. */
export interface Syntax {
  /** Tables up to this many cells become aligned code. */
  readonly tableWidth: number;
  readonly open: Readonly<Record<Mark, string>>;
  readonly close: Readonly<Record<Mark, string>>;
  /** Whether a mark may begin or end inside a word and reach over line ends. */
  readonly marks: 'anywhere' | 'words';
  text(words: string, atLineStart: boolean): string;
  /** Null where these words cannot be inline code; then they are written as text. */
  code(words: string): string | null;
  link(label: string, href: string): string;
  block(code: string, language: string): string;
  quote(written: string): string;
}

const same = (bold: string, italic: string, strike: string): Pick<Syntax, 'open' | 'close'> => {
  const both = { bold, italic, strike };
  return { open: both, close: both };
};
/** Breaks up what would be read as a mark, and sets marks apart from words. Shown as nothing. */
export const invisible = '\u200b';

const linePrefix = (written: string): string => written.replaceAll(/^/gm, '> ');
const spelledOut = (label: string, href: string): string =>
  label === href || `mailto:${label}` === href ? label : `${label} (${href})`;
const noFence = (words: string): string => words.replaceAll(/``(?=`)/g, `$&${invisible}`);

const html = (words: string): string => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const attribute = (words: string): string => html(words).replaceAll('"', '&quot;');

/** Bot API, parse_mode HTML: balanced tags of a fixed set, three characters escaped. */
const telegramHtml: Syntax = {
  tableWidth: 48,
  open: { bold: '<b>', italic: '<i>', strike: '<s>' },
  close: { bold: '</b>', italic: '</i>', strike: '</s>' },
  marks: 'anywhere',
  text: html,
  code: (words) => `<code>${html(words)}</code>`,
  link: (label, href) => `<a href="${attribute(href)}">${html(label)}</a>`,
  block: (code, language) =>
    language === ''
      ? `<pre>${html(code)}</pre>`
      : `<pre><code class="language-${attribute(language)}">${html(code)}</code></pre>`,
  quote: (written) => `<blockquote>${written}</blockquote>`,
};

/**
 * mrkdwn. `& < >` escaped, so that nobody is mentioned by accident. There is no escape for `* _ ~`: literal ones stay and
 * may at worst be shown as emphasis.
 */
const slackMrkdwn: Syntax = {
  tableWidth: 72,
  ...same('*', '_', '~'),
  marks: 'words',
  text: (words) => html(noFence(words)),
  code: (words) => (words.includes('`') || words.includes('\n') ? null : `\`${html(words)}\``),
  link: (label, href) => (label === href ? `<${html(href)}>` : `<${html(href)}|${html(noFence(label))}>`),
  block: (code) => `\`\`\`\n${html(noFence(code))}\n\`\`\``,
  quote: linePrefix,
};

/** Markdown as Discord reads it. Mentions are broken up; the sender forbids them as well. */
const discord: Syntax = {
  tableWidth: 56,
  ...same('**', '_', '~~'),
  marks: 'words',
  text: (words, atLineStart) => {
    const escaped = words
      .replaceAll(/[\\*_~`|[\]]/g, '\\$&')
      .replaceAll(/<(?=[@#:/]|(?:a|t|id):)/g, `<${invisible}`)
      .replaceAll(/@(?=everyone|here)/gi, `@${invisible}`);
    const lineStart = atLineStart ? /^([ \t]*)(#|>|-#)/gm : /(?<=\n)([ \t]*)(#|>|-#)/g;
    return escaped.replaceAll(lineStart, '$1\\$2');
  },
  code: (words) => (words.includes('`') || words.includes('\n') ? null : `\`${words}\``),
  link: (label, href) => {
    const address = href.replaceAll(/@(?=everyone|here)/gi, '%40');
    if (label === href) return address;
    // Other addresses would be shown with their brackets.
    const hidden = /^https?:/i.test(href);
    return hidden ? `[${discord.text(label, false)}](<${address}>)` : discord.text(spelledOut(label, href), false);
  },
  block: (code, language) => `\`\`\`${language}\n${noFence(code)}\n\`\`\``,
  quote: linePrefix,
};

/** As Slack, there is no escape; links are spelled out. */
const whatsapp: Syntax = {
  tableWidth: 34,
  ...same('*', '_', '~'),
  marks: 'words',
  text: noFence,
  code: (words) => (words.includes('`') || words.includes('\n') ? null : `\`${words}\``),
  link: (label, href) => noFence(spelledOut(label, href)),
  block: (code) => `\`\`\`\n${noFence(code)}\n\`\`\``,
  quote: linePrefix,
};

/** The form `signalStyles` takes apart: one character switches a style, a backslash makes one literal. */
const escapeSignal = (words: string): string => words.replaceAll(/[\\*_~`]/g, '\\$&');
const signal: Syntax = {
  tableWidth: 34,
  ...same('*', '_', '~'),
  marks: 'anywhere',
  text: escapeSignal,
  code: (words) => `\`${escapeSignal(words)}\``,
  link: (label, href) => escapeSignal(spelledOut(label, href)),
  block: (code) => `\`${escapeSignal(code)}\``,
  quote: linePrefix,
};

const plain: Syntax = {
  tableWidth: 0,
  ...same('', '', ''),
  marks: 'anywhere',
  text: (words) => words,
  code: (words) => words,
  link: spelledOut,
  block: (code) => code,
  quote: linePrefix,
};

export const syntaxes: Readonly<Record<Dialect, Syntax>> = {
  'telegram-html': telegramHtml,
  'slack-mrkdwn': slackMrkdwn,
  discord,
  whatsapp,
  'signal-styles': signal,
  plain,
};
