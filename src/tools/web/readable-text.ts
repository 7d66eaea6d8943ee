import type { FetchedPage } from './http-fetch.ts';

export type ReadableText =
  | { readonly kind: 'text'; readonly title: string; readonly text: string }
  | { readonly kind: 'binary'; readonly type: string };

/** What a person would read of a page: HTML as Markdown without menus and scripts, other text as it is. */
export async function readableText(page: FetchedPage): Promise<ReadableText> {
  const type = page.contentType.split(';')[0]?.trim() ?? '';
  if (!isTextType(type) || (type === '' && page.bytes.includes(0))) {
    return { kind: 'binary', type: type === '' ? 'unknown type' : type };
  }
  const text = decode(page.bytes, page.contentType);
  const html =
    /^(?:text\/html|application\/xhtml\+xml)$/.test(type) || (type === '' && /^\s*<(?:!doctype html|html)/i.test(text));
  return html ? await readHtml(text, page.url) : { kind: 'text', title: '', text };
}

function isTextType(type: string): boolean {
  return (
    type === '' ||
    /^text\/|[/+](?:json|xml|yaml|javascript|ecmascript|x-ndjson|ld\+json|toml|csv|rtf|x-sh|graphql|sql)$/.test(type)
  );
}

function decode(bytes: Buffer, contentType: string): string {
  const declared =
    /charset\s*=\s*["']?([\w.:-]+)/.exec(contentType)?.[1] ??
    /<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]+)/i.exec(bytes.subarray(0, 2_048).toString('latin1'))?.[1] ??
    /^<\?xml[^>]{0,200}encoding\s*=\s*["']([\w.:-]+)/i.exec(bytes.subarray(0, 200).toString('latin1'))?.[1];
  const mark = byteOrderMark(bytes);
  try {
    return new TextDecoder(mark ?? declared ?? 'utf-8').decode(bytes);
  } catch (error) {
    // A label nobody knows; the page is most likely UTF-8 all the same.
    if (error instanceof RangeError) return new TextDecoder('utf-8').decode(bytes);
    throw error;
  }
}

function byteOrderMark(bytes: Buffer): string | null {
  const hex = bytes.subarray(0, 3).toString('hex');
  return hex === 'efbbbf' ? 'utf-8' : hex.startsWith('fffe') ? 'utf-16le' : hex.startsWith('feff') ? 'utf-16be' : null;
}

/** An article shorter than this share of the page's text is a teaser; then the whole page is better. */
const leastArticleShare = 0.2;

/** The part of a document used here; the library's own types need the browser's. */
interface PageElement {
  readonly textContent: string | null;
  readonly innerHTML: string;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  remove(): void;
}
interface PageDocument {
  readonly body: PageElement;
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
}

const noiseSelector = 'script,style,noscript,template,iframe,svg,link,meta[http-equiv]';

/** The libraries are large and most turns fetch nothing: they are loaded on first use. */
async function readHtml(html: string, url: string): Promise<ReadableText> {
  const [{ parseHTML }, { Readability }, { default: Turndown }] = await Promise.all([
    import('linkedom'),
    import('@mozilla/readability'),
    import('turndown'),
  ]);
  const parse = (source: string): PageDocument => (parseHTML(source) as unknown as { document: PageDocument }).document;
  const turndown = new Turndown({ headingStyle: 'atx', codeBlockStyle: 'fenced', bulletListMarker: '-' });
  const toMarkdown = (source: string): string => {
    const document = parse(`<!doctype html><html><body>${source}</body></html>`);
    for (const link of document.querySelectorAll('a[href]')) makeAbsolute(link, url);
    return turndown
      .turndown(document.body)
      .replace(/\n{3,}/g, '\n\n')
      .trim();
  };
  // A fragment without <html> has no body of its own.
  const document = parse(/<body[\s>]/i.test(html) ? html : `<!doctype html><html><body>${html}</body></html>`);
  for (const noise of document.querySelectorAll(noiseSelector)) noise.remove();
  const title = (document.querySelector('title')?.textContent ?? '').trim().replace(/\s+/g, ' ');
  for (const head of document.querySelectorAll('body title')) head.remove();
  const whole = toMarkdown(document.body.innerHTML);
  const article = new Readability(document, { charThreshold: 200 }).parse();
  const text = typeof article?.content === 'string' ? toMarkdown(article.content) : '';
  const enough = text.length >= whole.length * leastArticleShare;
  return { kind: 'text', title: title === '' ? (article?.title ?? '') : title, text: enough ? text : whole };
}

function makeAbsolute(link: PageElement, base: string): void {
  const href = link.getAttribute('href') ?? '';
  if (URL.canParse(href, base)) link.setAttribute('href', new URL(href, base).href);
}
