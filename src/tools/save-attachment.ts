import { z } from 'zod';
import { PortError } from '../lib/port-error.ts';
import { defineTool, type ToolContext, type ToolPlan, type ToolResult } from './define-tool.ts';
import { resolveFor } from './file-access.ts';
import { judgeOf, policyOf, surroundingsOf } from './policy.ts';
import { formatBytes, oneLine } from './text.ts';

const input = z.strictObject({
  attachment: z
    .string()
    .regex(/^[0-9a-f]{12}$/)
    .describe('Id, as the message names it'),
  path: z.string().min(1).describe('File to write'),
});

const pieceBytes = 1024 * 1024;

/**
 * Writes a file that a person sent in the chat to the place where commands run. Idempotent. The attachments of a
 * conversation are kept under its id, so that no other conversation's can be named.
 */
export const saveAttachment = defineTool({
  name: 'save_attachment',
  description: 'Write a file the person sent in the chat to a path; makes its folders.',
  input,
  effect: 'idempotent',
  approval: 'by-policy',
  timeoutMs: 300_000,
  outputCapChars: 2_000,

  async plan(args, context): Promise<ToolPlan> {
    const { settings, redact } = context.deps;
    const verdict = judgeOf.write(args.path)(surroundingsOf(settings));
    const title = `Save attachment ${args.attachment} as ${args.path}`;
    return {
      summary: `save_attachment: ${oneLine(redact(args.path), 120)}`,
      ...(await policyOf({ tool: 'save_attachment', title, verdict }, context)),
    };
  },

  async run(args, context): Promise<ToolResult> {
    const { blobs } = context.deps;
    const blobId = `${context.conversationId}/in/${args.attachment}`;
    const kept = await blobs.get(blobId, { offset: 0, maxBytes: 1 });
    if (kept === null) {
      const text = `This conversation has no attachment ${args.attachment}. Use the id that the message names.`;
      return { status: 'error', text };
    }
    const { session, path, objection } = await resolveFor('write', args.path, context);
    if (objection !== null) return { status: 'error', text: objection };
    context.signal.throwIfAborted();
    const at = { sessionKey: context.conversationId, signal: context.signal };
    await session.upload(path, pieces(blobs, blobId, kept.sizeBytes), at);
    const text = `Saved ${formatBytes(kept.sizeBytes)} (${kept.mediaType || 'unknown type'}): ${path}`;
    return { status: 'ok', text, preview: text };
  },
});

async function* pieces(blobs: ToolContext['deps']['blobs'], id: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < sizeBytes; offset += pieceBytes) {
    const piece = await blobs.get(id, { offset, maxBytes: pieceBytes });
    // Deleted with its conversation, meanwhile.
    if (piece === null) throw new PortError('Storage.Conflict', 'The attachment is gone.', { retryable: false });
    yield piece.bytes;
  }
}
