import { createHash } from 'node:crypto';
import type { RawFile } from '@discordjs/rest';
import { PortError } from '../../../lib/port-error.ts';
import type {
  OutboundButton,
  OutboundFile,
  OutboundText,
  PlatformAddress,
  PlatformOutbound,
  SendOptions,
} from '../platform.ts';
import { fields, words } from '../json-fields.ts';
import { segment, type DiscordApi } from './api.ts';
import { applicationId, type Interactions } from './interactions.ts';
import { readVoiceNote } from './voice-note.ts';

const voiceMessage = 8192;
const buttonsPerRow = 5;
const styles = { primary: 1, secondary: 2, danger: 4 } as const;
const textOption = 3;
/** In servers and in direct messages with the bot. */
const everywhere = [0, 1];

export function createOutbound(api: DiscordApi, interactions: Interactions, sendBytes: number): PlatformOutbound {
  const send = async (to: PlatformAddress, message: object, options: SendOptions, files?: readonly RawFile[]) => {
    const body = { ...message, nonce: nonceOf(options.key), enforce_nonce: true, ...quiet };
    const answer = await api.call({
      method: 'Post',
      path: `${channelPath(to)}/messages`,
      body,
      signal: options.signal,
      ...(files === undefined ? {} : { files }),
    });
    const messageId = words(fields(answer)['id']);
    if (messageId === null) throw new PortError('Platform.Ambiguous', 'Discord took it and did not say as what.');
    return { messageId };
  };
  return {
    sendText: (to, text, options) => send(to, messageOf(text), options),
    sendFile: async (to, file, options) => {
      if (file.sizeBytes > sendBytes) throw tooLarge(sendBytes);
      const bytes = await contentOf(file, sendBytes);
      const { message, upload } = fileMessage(file, bytes);
      return send(to, message, options, [upload]);
    },
    edit: async (to, messageId, text, options) => {
      // Buttons are part of the content: without this line they would stay.
      const body = { components: [], ...messageOf({ ...text }), message_reference: undefined, ...quiet };
      const path = `${channelPath(to)}/messages/${segment(messageId)}` as const;
      await api.call({ method: 'Patch', path, body, signal: options.signal });
    },
    typing: async (to, signal) => {
      await api.call({ method: 'Post', path: `${channelPath(to)}/typing`, signal, repeatable: true });
    },
    // The nonce names a message for some minutes only, and can be looked up nowhere.
    reconcile: () => Promise.resolve({ state: 'unknown' }),
    acknowledgeButton: (event, text) => interactions.answer(event.key, text),
    registerCommands: async (commands) => {
      const path = `/applications/${segment(await applicationId(api))}/commands` as const;
      await api.call({ method: 'Put', path, body: commands.map(commandOf) });
    },
  };
}

/** What a model writes never rings anybody's bell. */
const quiet = { allowed_mentions: { parse: [] } };

/** At most 25 characters; the same key is the same message to Discord while it remembers. */
function nonceOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 25);
}

function channelPath(to: PlatformAddress): `/channels/${string}` {
  return `/channels/${segment(to.thread ?? to.chat)}`;
}

function messageOf({ text, buttons = [], replyTo }: OutboundText): object {
  return {
    content: text,
    ...(buttons.length === 0 ? {} : { components: rowsOf(buttons) }),
    ...(replyTo === undefined ? {} : { message_reference: { message_id: replyTo, fail_if_not_exists: false } }),
  };
}

function rowsOf(buttons: readonly OutboundButton[]): object[] {
  const rows: object[] = [];
  for (let at = 0; at < buttons.length; at += buttonsPerRow) {
    const components = buttons.slice(at, at + buttonsPerRow).map(({ label, data, style }) => ({
      type: 2,
      style: styles[style ?? 'secondary'],
      label: label.slice(0, 80),
      custom_id: data,
    }));
    rows.push({ type: 1, components });
  }
  return rows;
}

function fileMessage(file: OutboundFile, bytes: Buffer): { message: object; upload: RawFile } {
  const upload = { name: file.name, data: bytes, contentType: file.mediaType };
  // A voice note has no text beside it; with a caption the sound goes as a file, so that nothing is lost.
  const note = file.kind === 'voice' && (file.caption ?? '') === '' ? readVoiceNote(bytes) : null;
  if (note === null) return { message: { content: file.caption ?? '', attachments: [attachmentOf(file)] }, upload };
  const attachment = { ...attachmentOf(file), duration_secs: note.seconds, waveform: note.waveform };
  return { message: { flags: voiceMessage, attachments: [attachment] }, upload };
}

function attachmentOf({ name }: OutboundFile): object {
  // Discord replaces characters in file names; the title is shown as it is, with the ending of the name.
  const dot = name.lastIndexOf('.');
  return { id: 0, filename: name, title: dot > 0 ? name.slice(0, dot) : name };
}

/** @throws PortError Platform.Unavailable when it cannot be read, MessageRejected when it is larger than it may be. */
async function contentOf(file: OutboundFile, sendBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of await file.open()) {
      const bytes = Buffer.from(chunk as Uint8Array);
      chunks.push(bytes);
      if ((size += bytes.length) > sendBytes) throw tooLarge(sendBytes);
    }
  } catch (error) {
    if (PortError.is(error)) throw error;
    throw new PortError('Storage.Unavailable', 'The file could not be read, so it was not sent.');
  }
  return Buffer.concat(chunks);
}

function tooLarge(sendBytes: number): PortError {
  return new PortError('Platform.MessageRejected', `Discord takes files of at most ${sendBytes / 1024 / 1024} MB.`);
}

function commandOf({ name, args, help }: { name: string; args: string; help: string }): object {
  const option = { type: textOption, name: 'text', description: args.slice(0, 100), required: false };
  return {
    type: 1,
    name: name.toLowerCase(),
    description: (help === '' ? name : help).slice(0, 100),
    contexts: everywhere,
    options: args === '' ? [] : [option],
  };
}
