import { z } from 'zod';
import { defineTool, type ToolContext, type ToolPlan, type ToolResult } from './define-tool.ts';
import { binaryType, decodeText, resolveFor } from './file-access.ts';
import { readPage, type ChunkReader, type LinePage } from './numbered-lines.ts';
import { judgeOf, policyOf, surroundingsOf } from './policy.ts';
import { counted, formatBytes, oneLine } from './text.ts';

const input = z.strictObject({
  path: z.string().min(1).describe('File, or blob:ID of a cut result'),
  offset: z.number().int().positive().optional().describe('First line, from 1'),
  limit: z.number().int().positive().max(2_000).optional().describe('Lines; default 500'),
});
type Input = z.infer<typeof input>;

const chunkBytes = 1024 * 1024;
const maxScanBytes = 512 * 1024 * 1024;
const pageChars = 40_000;
const maxLineChars = 2_000;

/** Reads a text file by lines, or the stored whole of a result that was cut. */
export const readFile = defineTool({
  name: 'read_file',
  description: 'Read a text file as LINE|text.',
  input,
  effect: 'read',
  approval: 'by-policy',
  timeoutMs: 60_000,
  outputCapChars: 60_000,

  async plan(args, context): Promise<ToolPlan> {
    const summary = `read_file: ${oneLine(context.deps.redact(args.path), 120)}`;
    if (args.path.startsWith('blob:')) return { summary };
    const verdict = judgeOf.read(args.path)(surroundingsOf(context.deps.settings));
    return { summary, ...(await policyOf({ tool: 'read_file', title: `Read ${args.path}`, verdict }, context)) };
  },

  run: (args, context) => (args.path.startsWith('blob:') ? readBlob(args, context) : readText(args, context)),
});

async function readBlob(args: Input, context: ToolContext): Promise<ToolResult> {
  const id = args.path.slice('blob:'.length);
  // Results of other conversations are reached by load_conversation, which knows whose they are.
  const own = id.startsWith(`${context.conversationId}/`);
  const first = own ? await context.deps.blobs.get(id, { offset: 0, maxBytes: chunkBytes }) : null;
  if (first === null) return { status: 'error', text: `No stored result ${args.path} in this conversation.` };
  const page = await readPage(
    chunks(
      first.sizeBytes,
      async (offset) => (await context.deps.blobs.get(id, { offset, maxBytes: chunkBytes }))?.bytes ?? Buffer.alloc(0),
      context.signal,
    ),
    requestOf(args, true),
  );
  return report(page, args, first.sizeBytes);
}

async function readText(args: Input, context: ToolContext): Promise<ToolResult> {
  const { session, path, objection } = await resolveFor('read', args.path, context);
  if (objection !== null) return { status: 'error', text: objection };
  const at = { sessionKey: context.conversationId };
  const first = await session.readFile(path, { ...at, offset: 0, maxBytes: chunkBytes });
  const type = binaryType(first.bytes);
  if (type !== null) {
    return {
      status: 'error',
      text: `${path} is no text: ${type}, ${formatBytes(first.sizeBytes)}. Use run_command with a fitting program.`,
    };
  }
  const wide = /^(?:fffe|feff)/.test(first.bytes.subarray(0, 2).toString('hex'));
  const read = async (offset: number): Promise<Buffer> => {
    if (offset === 0) return first.bytes;
    return (await session.readFile(path, { ...at, offset, maxBytes: chunkBytes })).bytes;
  };
  const next = wide
    ? once(Buffer.from(decodeText((await session.readFile(path, at)).bytes)))
    : chunks(first.sizeBytes, read, context.signal);
  return report(await readPage(next, requestOf(args, false)), args, first.sizeBytes);
}

function requestOf(args: Input, wrap: boolean): Parameters<typeof readPage>[1] {
  const limit = args.limit ?? 500;
  return {
    firstLine: args.offset ?? 1,
    limit,
    maxChars: pageChars,
    // Who asks for one line wants all of it.
    maxLineChars: limit === 1 && !wrap ? pageChars : maxLineChars,
    wrap,
  };
}

function once(bytes: Buffer): ChunkReader {
  let given = false;
  return () => {
    const chunk = given ? null : bytes;
    given = true;
    return Promise.resolve(chunk);
  };
}

function chunks(sizeBytes: number, read: (offset: number) => Promise<Buffer>, signal: AbortSignal): ChunkReader {
  let offset = 0;
  return async () => {
    signal.throwIfAborted();
    if (offset >= Math.min(sizeBytes, maxScanBytes)) return null;
    const bytes = await read(offset);
    offset += bytes.length;
    return bytes.length === 0 ? null : bytes;
  };
}

function report(page: LinePage, args: Input, sizeBytes: number): ToolResult {
  const first = args.offset ?? 1;
  if (page.shown === 0) {
    const text =
      page.seen === 0
        ? 'The file is empty.'
        : `Only ${counted(page.seen, 'line')}; offset ${String(first)} is beyond the end.`;
    return { status: page.seen === 0 ? 'ok' : 'error', text };
  }
  const more =
    page.nextLine === null ? '' : `\n[${formatBytes(sizeBytes)} in all; more from offset ${String(page.nextLine)}]`;
  return {
    status: 'ok',
    text: page.text + more,
    preview: `${counted(page.shown, 'line')}${page.nextLine === null ? '' : ' (more follow)'}`,
  };
}
