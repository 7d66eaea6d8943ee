import { randomUUID } from 'node:crypto';
import { rm, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { PortError } from '../../lib/port-error.ts';
import { commandWords } from './command-words.ts';
import { runProgram } from './run-program.ts';
import { askEndpoint, limited, readBody, type EndpointOptions } from './speech-endpoint.ts';

export interface Recording {
  /** As the platform names it; only its ending matters. */
  readonly name: string;
  readonly mediaType: string;
  readonly content: Buffer | Readable;
  /** Null where the platform does not tell. */
  readonly sizeBytes: number | null;
}

export interface TranscriptionOptions {
  readonly engine:
    | ({ readonly kind: 'endpoint'; readonly language: string | null } & EndpointOptions)
    /** `{file}` stands for the audio; the text is expected on standard output. `env` is all the command sees. */
    | { readonly kind: 'command'; readonly command: string; readonly env: Readonly<Record<string, string>> };
  readonly timeoutMs: number;
  /** Largest recording; absent: 25 MB, what the endpoint of OpenAI takes. */
  readonly maxBytes?: number;
}

export type Transcribe = (recording: Recording, signal: AbortSignal) => Promise<string>;

const code = 'Voice.TranscriptionFailed';
const defaultMaxBytes = 25 * 1024 * 1024;
const maxTextBytes = 1024 * 1024;

/**
 * Turns speech into text. Keeps nothing; may be repeated. Rejects with PortError Voice.TranscriptionFailed, not retryable
 * where the same recording cannot succeed: too large, refused, nothing understood, a command that is not there. An
 * aborted signal rejects with its reason.
 */
export function createTranscriber(options: TranscriptionOptions): Transcribe {
  const { engine, timeoutMs, maxBytes = defaultMaxBytes } = options;
  return (recording, signal) =>
    limited(code, { timeoutMs, signal }, async (within) => {
      const bytes = await readRecording(recording, maxBytes, within);
      const name = fileName(recording);
      const text =
        engine.kind === 'endpoint'
          ? await askForText(engine, new File([new Uint8Array(bytes)], name, { type: recording.mediaType }), within)
          : await byCommand(engine, name, bytes, within);
      if (text.trim() === '') throw lasting('Nothing was understood in the recording.', { reason: 'empty' });
      return text.trim();
    });
}

function lasting(message: string, details: Readonly<Record<string, string>> = {}): PortError {
  return new PortError(code, message, { retryable: false, details });
}

async function readRecording(
  { content, sizeBytes }: Recording,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const tooLarge = (): PortError =>
    lasting(`The recording is larger than ${Math.floor(maxBytes / 1024 / 1024)} MB.`, { reason: 'too-large' });
  if ((sizeBytes ?? 0) > maxBytes) throw tooLarge();
  if (Buffer.isBuffer(content)) {
    if (content.length > maxBytes) throw tooLarge();
    return content;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  // A download that hangs ends with the time limit.
  for await (const chunk of addAbortSignal(signal, content) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Endpoints and programs judge by the ending; `.oga` and `.opus`, as platforms name voice notes, are often refused. */
function fileName({ name, mediaType }: Recording): string {
  const ending = /\.([a-z0-9]{1,5})$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  if (['mp3', 'mp4', 'm4a', 'wav', 'webm', 'flac', 'mpga', 'mpeg', 'aac', 'amr'].includes(ending)) {
    return `voice.${ending}`;
  }
  return /mpeg|mp3/.test(mediaType) ? 'voice.mp3' : /wav/.test(mediaType) ? 'voice.wav' : 'voice.ogg';
}

async function askForText(
  engine: Extract<TranscriptionOptions['engine'], { kind: 'endpoint' }>,
  file: File,
  signal: AbortSignal,
): Promise<string> {
  const language = engine.language === null ? {} : { language: engine.language };
  const response = await askEndpoint(engine, code, (client) =>
    client.audio.transcriptions
      .create({ file, model: engine.model, response_format: 'json', ...language }, { signal })
      .asResponse(),
  );
  const body = await readBody(response, maxTextBytes);
  const text = body === null ? null : textOf(body.toString('utf8'));
  if (text === null) throw new PortError(code, 'The endpoint answered something that is no transcription.');
  return text;
}

function textOf(body: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return null; // a page of a proxy
  }
  if (typeof parsed !== 'object' || parsed === null || !('text' in parsed)) return null;
  return typeof parsed.text === 'string' ? parsed.text : null;
}

async function byCommand(
  engine: Extract<TranscriptionOptions['engine'], { kind: 'command' }>,
  name: string,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<string> {
  const [program, ...args] = commandWords(engine.command) ?? [];
  if (program === undefined || !args.some((word) => word.includes('{file}'))) {
    throw lasting('voice.transcription.command must be a program with {file} among its arguments.');
  }
  const folder = await mkdtemp(join(tmpdir(), `hermes-voice-${randomUUID().slice(0, 8)}-`));
  try {
    const file = join(folder, name);
    await writeFile(file, bytes, { mode: 0o600 });
    const end = await runProgram({
      file: program,
      args: args.map((word) => word.replaceAll('{file}', () => file)),
      env: engine.env,
      maxOutputBytes: maxTextBytes,
      signal,
    });
    if (end.kind === 'not-started') throw lasting(`${program} cannot be started (${end.reason}).`);
    if (end.kind === 'too-much-output') throw lasting(`${program} writes more than a transcription.`);
    if (end.code === 0) return end.output.toString('utf8');
    throw new PortError(code, `${program} failed (exit code ${String(end.code)}): ${end.lastWords}`.trim());
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
