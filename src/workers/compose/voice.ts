import { createSpeaker, type Speak } from '../../gateway/voice/speak.ts';
import { createTranscriber, type Transcribe } from '../../gateway/voice/transcribe.ts';
import type { Secret } from '../../config/secret.ts';
import type { Core } from '../core.ts';

/** Voice notes in and out, as they are configured now. */
export interface Voice {
  /** Null where nobody turns speech into text. */
  transcriber(): Transcribe | null;
  /** Whether the person is shown what was understood. */
  showsTranscript(): boolean;
  /** Null where nothing is spoken. */
  speaker(): Speak | null;
}

export function createVoice(core: Core): Voice {
  const programs = { PATH: core.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', HOME: core.env['HOME'] ?? '/' };
  const keyOf = (own: Secret | null, baseUrl: string | null): string | null =>
    own?.reveal() ?? (baseUrl === null ? (core.env['OPENAI_API_KEY'] ?? null) : null);
  const settings = () => core.source.current().voice;
  return {
    transcriber: () => {
      const { engine, baseUrl, apiKey, model, language, command, timeoutMs } = settings().transcription;
      if (engine === 'off') return null;
      if (engine === 'command') {
        return createTranscriber({ engine: { kind: 'command', command: command ?? '', env: programs }, timeoutMs });
      }
      const endpoint = { kind: 'endpoint', language, baseUrl, apiKey: keyOf(apiKey, baseUrl), model } as const;
      return createTranscriber({ engine: endpoint, timeoutMs });
    },
    showsTranscript: () => settings().transcription.show,
    speaker: () => {
      const { enabled, baseUrl, apiKey, model, voice, timeoutMs, ffmpegFile } = settings().speech;
      if (!enabled) return null;
      const ffmpeg = { file: ffmpegFile ?? 'ffmpeg', env: programs };
      return createSpeaker({ baseUrl, apiKey: keyOf(apiKey, baseUrl), model, voice, timeoutMs, ffmpeg });
    },
  };
}
