import { z } from 'zod';
import { defineTool, type ToolPlan, type ToolResult } from './define-tool.ts';
import { formatBytes, oneLine } from './text.ts';
import { fetchPage, FetchRefused, type FetchedPage } from './web/http-fetch.ts';
import { readableText } from './web/readable-text.ts';

const input = z.strictObject({ url: z.string().min(1).max(4_000).describe('http or https') });

/** Reads a web page. */
export const webFetch = defineTool({
  name: 'web_fetch',
  description: 'Fetch a page as readable text.',
  input,
  effect: 'read',
  approval: 'never',
  timeoutMs: 90_000,
  outputCapChars: 40_000,

  plan: (args, context): ToolPlan => ({
    summary: `web_fetch: ${oneLine(context.deps.redact(args.url), 140)}`,
    timeoutMs: context.deps.settings.web.timeoutMs + 30_000,
  }),

  async run(args, context): Promise<ToolResult> {
    const { allowPrivateAddresses, ...limits } = context.deps.settings.web;
    const stop = AbortSignal.any([context.signal, context.draining]);
    try {
      const page = await fetchPage(
        args.url,
        { ...limits, ...(allowPrivateAddresses ? { mayConnect: () => true } : {}) },
        stop,
      );
      return await report(page);
    } catch (error) {
      if (!(error instanceof FetchRefused)) throw error;
      return { status: 'error', text: `Not fetched: ${error.message}.` };
    }
  },
});

async function report(page: FetchedPage): Promise<ToolResult> {
  const readable = await readableText(page);
  const size = `${formatBytes(page.bytes.length)}${page.truncated ? ' and more' : ''}`;
  const failed = page.status >= 400;
  if (readable.kind === 'binary') {
    return {
      status: 'error',
      text: `Not text: ${readable.type}, ${size}, at ${page.url}. Use run_command with curl to save it.`,
    };
  }
  const head = [
    ...(failed ? [`The server answered ${String(page.status)}.`] : []),
    ...(readable.title === '' ? [] : [`Title: ${readable.title}`]),
    `URL: ${page.url}`,
  ];
  const end = page.truncated ? `\n[The page goes on; only the first ${size.replace(' and more', '')} were read.]` : '';
  return {
    status: failed ? 'error' : 'ok',
    text: `${head.join('\n')}\n\n${readable.text.trim() === '' ? '(no text)' : readable.text}${end}`,
    preview: `${failed ? `${String(page.status)}, ` : ''}${readable.title === '' ? page.url : readable.title} (${size})`,
  };
}
