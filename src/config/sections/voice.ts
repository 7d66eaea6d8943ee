import { choice, file, flag, maxTimerMs, secret, text, url, whole } from '../setting.ts';

export const voice = {
  transcription: {
    engine: choice(['off', 'endpoint', 'command'], {
      default: 'off',
      description:
        'Who turns voice notes into text: an OpenAI-compatible endpoint, a command of this machine, or nobody.',
    }),
    baseUrl: url({ default: null, description: 'Address of the endpoint. Not set: the one of OpenAI.' }),
    apiKey: secret({ description: 'Key of the endpoint. Not set, and no baseUrl either: OPENAI_API_KEY.' }),
    model: text({ default: 'whisper-1', description: 'Model of the endpoint.' }),
    language: text({ default: null, description: 'Language that is spoken, as in "de". Not set: it is found out.' }),
    command: text({
      default: null,
      description:
        'Command with {file} for the audio; prints the text. For instance: whisper-cli -m MODEL -nt -f {file}',
    }),
    timeoutMs: whole({
      default: 120_000,
      min: 1000,
      max: maxTimerMs,
      description: 'Longest a transcription may take.',
    }),
    show: flag({ default: true, description: 'Shows the person what was understood.' }),
  },
  speech: {
    baseUrl: url({
      default: null,
      description: 'Address of an OpenAI-compatible speech endpoint. Not set: the one of OpenAI.',
    }),
    apiKey: secret({ description: 'Key of the endpoint. Not set, and no baseUrl either: OPENAI_API_KEY.' }),
    model: text({ default: 'tts-1', description: 'Model of the endpoint.' }),
    voice: text({ default: 'alloy', description: 'Voice of the endpoint.' }),
    enabled: flag({ default: false, description: 'Whether answers can be spoken on request.' }),
    timeoutMs: whole({
      default: 120_000,
      min: 1000,
      max: maxTimerMs,
      description: 'Longest a spoken answer may take to make.',
    }),
    ffmpegFile: file({
      default: null,
      description: 'The ffmpeg program, where audio must be converted. Not set: the one on the PATH.',
    }),
  },
} as const;
