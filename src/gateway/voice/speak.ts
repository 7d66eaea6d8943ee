import { PortError } from '../../lib/port-error.ts';
import { runProgram } from './run-program.ts';
import { askEndpoint, limited, readBody, type EndpointOptions } from './speech-endpoint.ts';

export interface SpeechOptions extends EndpointOptions {
  readonly voice: string;
  readonly timeoutMs: number;
  /** Converts what is not Ogg/Opus. */
  readonly ffmpeg: { readonly file: string; readonly env: Readonly<Record<string, string>> };
  /** Largest voice note; absent: 16 MB, the least of what platforms take. */
  readonly maxBytes?: number;
}

export type Speak = (text: string, signal: AbortSignal) => Promise<Buffer>;

/** What the endpoint of OpenAI takes in one request. */
const maxChars = 4096;

const code = 'Voice.SpeechFailed';
const defaultMaxBytes = 16 * 1024 * 1024;

/**
 * Says a text: Ogg/Opus, ready as a voice note. The text is plain, at most 4096 characters. Keeps nothing; may be
 * repeated. Rejects with PortError Voice.SpeechFailed, not retryable where the same text cannot succeed: too long,
 * refused, an answer that cannot be converted. An aborted signal rejects with its reason.
 */
export function createSpeaker(options: SpeechOptions): Speak {
  const { timeoutMs, maxBytes = defaultMaxBytes } = options;
  return async (text, signal) => {
    if (text.trim() === '') throw lasting('There is nothing to say.');
    if (text.length > maxChars) throw lasting(`The text is longer than ${maxChars} characters.`);
    return limited(code, { timeoutMs, signal }, async (within) => {
      const response = await askEndpoint(options, code, (client) =>
        client.audio.speech
          .create(
            { input: text, model: options.model, voice: options.voice, response_format: 'opus' },
            { signal: within },
          )
          .asResponse(),
      );
      const audio = await readBody(response, maxBytes);
      if (audio === null) throw lasting(`The spoken text is larger than ${Math.floor(maxBytes / 1024 / 1024)} MB.`);
      const type = response.headers.get('content-type') ?? '';
      if (audio.length === 0 || /json|text|html/i.test(type)) {
        throw new PortError(code, 'The endpoint answered something that is no audio.');
      }
      return isOggOpus(audio) ? audio : convert(audio, type, { ...options, maxBytes }, within);
    });
  };
}

function lasting(message: string): PortError {
  return new PortError(code, message, { retryable: false });
}

/** RFC 7845: an Ogg page whose first packet begins with `OpusHead`. */
function isOggOpus(audio: Buffer): boolean {
  return audio.subarray(0, 4).toString('latin1') === 'OggS' && audio.subarray(0, 128).includes('OpusHead');
}

async function convert(
  audio: Buffer,
  type: string,
  { ffmpeg, maxBytes }: Pick<SpeechOptions, 'ffmpeg'> & { readonly maxBytes: number },
  signal: AbortSignal,
): Promise<Buffer> {
  const args = '-hide_banner -loglevel error -i pipe:0 -vn -ac 1 -c:a libopus -b:a 32k -f ogg pipe:1'.split(' ');
  const end = await runProgram({ ...ffmpeg, args, input: audio, maxOutputBytes: maxBytes, signal });
  const what = type === '' ? 'no Ogg/Opus' : type;
  if (end.kind === 'not-started') {
    throw lasting(
      `The endpoint answers ${what}, and ffmpeg cannot be started (${end.reason}): voice.speech.ffmpegFile.`,
    );
  }
  if (end.kind === 'too-much-output') throw lasting('The spoken text is too large for a voice note.');
  if (end.code === 0 && isOggOpus(end.output)) return end.output;
  throw lasting(`The endpoint answers ${what}, which ffmpeg does not convert: ${end.lastWords}`.trim());
}
