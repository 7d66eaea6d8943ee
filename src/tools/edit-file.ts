import { z } from 'zod';
import { defineTool, type ToolContext, type ToolPlan, type ToolResult } from './define-tool.ts';
import { locate, nearest, type Located } from './editing/locate.ts';
import { applyPlaces, lineAt, smallDiff } from './editing/small-diff.ts';
import { binaryType, readIfThere, resolveFor } from './file-access.ts';
import { judgeOf, policyOf, surroundingsOf } from './policy.ts';
import { counted, oneLine } from './text.ts';

const input = z.strictObject({
  path: z.string().min(1).describe('File'),
  oldText: z.string().min(1).describe('Text to replace; must occur once'),
  newText: z.string().describe('What takes its place'),
  replaceAll: z.boolean().optional().describe('Replace every occurrence'),
});
type Input = z.infer<typeof input>;

/** Replaces a part of a text file. Idempotent: a second try sees that the first has been applied. */
export const editFile = defineTool({
  name: 'edit_file',
  description: 'Replace text in a file. Small differences in white space and quotes are tolerated.',
  input,
  effect: 'idempotent',
  approval: 'by-policy',
  timeoutMs: 60_000,
  outputCapChars: 12_000,

  async plan(args, context): Promise<ToolPlan> {
    const { settings, redact } = context.deps;
    const verdict = judgeOf.write(args.path)(surroundingsOf(settings));
    return {
      summary: `edit_file: ${oneLine(redact(args.path), 120)}`,
      ...(await policyOf({ tool: 'edit_file', title: `Edit ${args.path}`, verdict }, context)),
    };
  },

  async run(args, context): Promise<ToolResult> {
    const { session, path, objection } = await resolveFor('write', args.path, context);
    if (objection !== null) return failure(objection);
    const bytes = await readIfThere(session, path, context);
    if (bytes === null) return failure(`There is no file ${path}. Use write_file to make it.`);
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    const type = binaryType(bytes);
    if (type !== null || text.includes('\uFFFD'))
      return failure(`${path} is no UTF-8 text${type === null ? '' : ` but ${type}`}.`);
    if (args.oldText === args.newText) return failure('oldText and newText are the same.');
    if (context.attempt > 1 && alreadyApplied(text, args)) return { status: 'ok', text: `Already applied: ${path}` };
    const found = locate(text, args.oldText, args.newText);
    const problem = problemOf(text, found, args, path);
    if (found === null || problem !== null) return failure(problem ?? '');
    context.signal.throwIfAborted();
    await session.writeFile(path, Buffer.from(applyPlaces(text, found.places), 'utf8'), sessionOf(context));
    return report(text, found, path);
  },
});

function sessionOf(context: ToolContext): { sessionKey: string } {
  return { sessionKey: context.conversationId };
}

function failure(text: string): ToolResult {
  return { status: 'error', text };
}

function report(before: string, found: Located, path: string): ToolResult {
  const how = found.tolerance === 'exact' ? '' : `, ${found.tolerance} tolerated`;
  const head = `Changed ${counted(found.places.length, 'place')} in ${path}${how}`;
  return { status: 'ok', text: `${head}\n${smallDiff(before, found.places)}`, preview: head };
}

/** True when the new text is there and the old one is not, unless as a part of the new. */
function alreadyApplied(text: string, args: Input): boolean {
  const old = locate(text, args.oldText, '')?.places ?? [];
  if (args.newText === '') return old.length === 0;
  const now = locate(text, args.newText, '')?.places ?? [];
  const covered = old.every((place) => now.some((one) => one.start <= place.start && place.end <= one.end));
  return now.length > 0 && covered;
}

const placesShown = 10;

function problemOf(text: string, found: Located | null, args: Input, path: string): string | null {
  if (found === null) return absent(text, args, path);
  if (found.places.length === 1 || args.replaceAll === true) return null;
  const lines = found.places.slice(0, placesShown).map((place) => String(lineAt(text, place.start)));
  const more = found.places.length > placesShown ? ' …' : '';
  return `oldText occurs ${String(found.places.length)} times in ${path}, at lines ${lines.join(', ')}${more}. Add lines around it until it is unique, or set replaceAll.`;
}

function absent(text: string, args: Input, path: string): string {
  const there = args.newText.trim() === '' ? null : locate(text, args.newText, '');
  const first = there?.places[0];
  if (first !== undefined) {
    return `oldText is not in ${path}, but newText is, at line ${String(lineAt(text, first.start))}: perhaps it has been changed already.`;
  }
  const near = nearest(text, args.oldText);
  if (near === null) return `oldText is not in ${path}, nor anything like it. Read the file again.`;
  const shown = near.lines.map((line, index) => `${String(near.firstLine + index)}|${line}`).join('\n');
  return `oldText is not in ${path}. Nearest is, from line ${String(near.firstLine)}:\n${shown}`;
}
