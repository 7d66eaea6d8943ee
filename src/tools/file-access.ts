import type { TerminalSession } from '../backends/backend.ts';
import { PortError } from '../lib/port-error.ts';
import type { ToolContext } from './define-tool.ts';
import { judgeOf, newObjection } from './policy.ts';

/**
 * The absolute path of a file a tool is about to touch, judged once more: a relative path, or a link, may lead to a place
 * the plan could not see.
 */
export async function resolveFor(
  use: 'read' | 'write',
  path: string,
  context: ToolContext,
): Promise<{ readonly session: TerminalSession; readonly path: string; readonly objection: string | null }> {
  const session = await context.terminal();
  const at = { sessionKey: context.conversationId };
  const absolute = await session.resolve(path, at);
  const real = await session.realPath(absolute, at);
  const { settings } = context.deps;
  // Both: where folders above are links, only one of the two may look like a place the rules know.
  const objection = [absolute, real]
    .map((place) => newObjection(judgeOf[use](path), settings, { judge: judgeOf[use](place) }))
    .find((found) => found !== null);
  return { session, path: absolute, objection: objection ?? null };
}

/** The whole file, or null when there is none. */
export async function readIfThere(
  session: TerminalSession,
  path: string,
  context: ToolContext,
): Promise<Buffer | null> {
  try {
    const { bytes } = await session.readFile(path, { sessionKey: context.conversationId });
    return bytes;
  } catch (error) {
    if (PortError.is(error) && error.code === 'Terminal.NotFound') return null;
    throw error;
  }
}

const magics: readonly (readonly [prefix: string, type: string])[] = [
  ['89504e47', 'PNG image'],
  ['ffd8ff', 'JPEG image'],
  ['47494638', 'GIF image'],
  ['52494646', 'RIFF media (WebP, WAV or AVI)'],
  ['25504446', 'PDF document'],
  ['504b0304', 'ZIP archive or Office document'],
  ['1f8b', 'gzip archive'],
  ['425a68', 'bzip2 archive'],
  ['fd377a58', 'xz archive'],
  ['28b52ffd', 'zstd archive'],
  ['7f454c46', 'ELF program'],
  ['cffaedfe', 'Mach-O program'],
  ['cafebabe', 'Java class or Mach-O program'],
  ['53514c69', 'SQLite database'],
  ['00000020667479', 'MP4 video'],
  ['4f676753', 'Ogg media'],
  ['494433', 'MP3 audio'],
];

/** What a file's first bytes say it is; null for text. */
export function binaryType(start: Buffer): string | null {
  const hex = start.subarray(0, 8).toString('hex');
  const known = magics.find(([prefix]) => hex.startsWith(prefix));
  if (known !== undefined) return known[1];
  if (hex.startsWith('fffe') || hex.startsWith('feff')) return null;
  return start.subarray(0, 8_000).includes(0) ? 'binary data' : null;
}

/** UTF-8, or UTF-16 where a byte order mark says so. */
export function decodeText(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  return new TextDecoder('utf-8').decode(bytes);
}
