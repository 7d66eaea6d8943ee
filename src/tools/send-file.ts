import { basename } from 'node:path/posix';
import { z } from 'zod';
import { defineTool, type ToolContext, type ToolPlan, type ToolResult } from './define-tool.ts';
import { resolveFor } from './file-access.ts';
import { mediaTypeOf } from '../lib/media-type.ts';
import { judgeOf, policyOf, surroundingsOf } from './policy.ts';
import { formatBytes, oneLine } from './text.ts';

const input = z.strictObject({
  path: z.string().min(1).describe('File'),
  caption: z.string().max(1_000).optional().describe('Shown with it'),
});

/**
 * Sends a file of the environment to the chat the turn came from, through the durable outbox: the file is kept as a blob
 * and queued under the call's key, so a repeated call sends nothing twice and sends what the first try read. Where there
 * is no chat, the model is told to name the path instead.
 */
export const sendFile = defineTool({
  name: 'send_file',
  description: "Send a file to the person's chat.",
  input,
  effect: 'idempotent',
  approval: 'by-policy',
  timeoutMs: 300_000,
  outputCapChars: 2_000,

  async plan(args, context): Promise<ToolPlan> {
    const verdict = judgeOf.read(args.path)(surroundingsOf(context.deps.settings));
    return {
      summary: `send_file: ${oneLine(context.deps.redact(args.path), 120)}`,
      ...(await policyOf({ tool: 'send_file', title: `Send ${args.path}`, verdict }, context)),
    };
  },

  async run(args, context): Promise<ToolResult> {
    const { outbound } = context.deps;
    const { conversationId, turn, callKey } = context;
    const limitBytes = (await outbound?.fileLimit({ conversationId, turn })) ?? null;
    const { session, path, objection } = await resolveFor('read', args.path, context);
    if (objection !== null) return { status: 'error', text: objection };
    if (outbound === undefined || limitBytes === null) {
      return { status: 'error', text: `This conversation is in no chat. Tell the person that the file is at ${path}.` };
    }
    const name = basename(path);
    const mediaType = mediaTypeOf(name);
    const blobId = `${callKey}/file`;
    const kept = await context.deps.blobs.get(blobId, { offset: 0, maxBytes: 1 });
    let sizeBytes = kept?.sizeBytes;
    if (sizeBytes === undefined) {
      const bytes = await download(session, path, limitBytes, context);
      if (typeof bytes === 'number') return tooLarge(path, bytes, limitBytes);
      if (bytes.length === 0) return { status: 'error', text: `${path} is empty; chats take no empty files.` };
      await context.deps.blobs.put({ id: blobId, conversationId, mediaType, bytes });
      sizeBytes = bytes.length;
    }
    context.signal.throwIfAborted();
    const caption = context.deps.redact(args.caption ?? '');
    await outbound.sendFile({ key: callKey, conversationId, turn, name, mediaType, caption, blobId, sizeBytes });
    const text = `Queued for sending: ${name} (${formatBytes(sizeBytes)}).`;
    return { status: 'ok', text, preview: text };
  },
});

function tooLarge(path: string, sizeBytes: number, limitBytes: number): ToolResult {
  const size = `${path} has ${formatBytes(sizeBytes)} or more`;
  return { status: 'error', text: `${size}; the chat takes at most ${formatBytes(limitBytes)}. Nothing was sent.` };
}

/** The bytes, or how many there are at least when that is too much. */
async function download(
  session: Awaited<ReturnType<ToolContext['terminal']>>,
  path: string,
  limitBytes: number,
  context: ToolContext,
): Promise<Buffer | number> {
  const { stream, sizeBytes } = await session.download(path, { sessionKey: context.conversationId });
  const onAbort = (): void => void stream.destroy(context.signal.reason as Error);
  context.signal.addEventListener('abort', onAbort, { once: true });
  try {
    context.signal.throwIfAborted();
    if (sizeBytes > limitBytes) return sizeBytes;
    const chunks: Buffer[] = [];
    let bytes = 0;
    // It may grow while it is read.
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limitBytes) return bytes;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    context.signal.removeEventListener('abort', onAbort);
    stream.destroy();
  }
}
