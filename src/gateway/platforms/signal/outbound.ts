import { PortError } from '../../../lib/port-error.ts';
import { signalStyles } from '../../format/signal-styles.ts';
import { fileBytes } from '../file-bytes.ts';
import { fields, whole } from '../json-fields.ts';
import type { OutboundFile, OutboundText, PlatformAddress, PlatformOutbound, SendOptions } from '../platform.ts';
import { capabilities } from './capabilities.ts';
import type { SignalDaemon } from './daemon.ts';

const sendMs = 30_000;
const typingMs = 5_000;
/** Uploading a file of the largest size over a slow line. */
const fileMs = 240_000;

/** Sends through the daemon. The daemon makes a message's id, so that nothing tells one try from another. */
export function signalOutbound(daemon: SignalDaemon, account: string): PlatformOutbound {
  const send = async (
    to: PlatformAddress,
    params: Readonly<Record<string, unknown>>,
    options: { readonly signal: AbortSignal; readonly limitMs: number; readonly repeatable: boolean },
  ): Promise<{ readonly messageId: string }> => {
    const result = await daemon.call('send', { ...recipientOf(to, account), ...params }, options);
    const timestamp = whole(fields(result)['timestamp']);
    if (timestamp === null)
      throw new PortError('Platform.Ambiguous', 'signal-cli took it and did not say under which id.');
    return { messageId: String(timestamp) };
  };

  return {
    sendText: async (to, text, { signal }) => {
      const params = { ...styled(text.text), ...quoteOf(text, account) };
      return send(to, params, { signal, limitMs: sendMs, repeatable: false });
    },
    sendFile: async (to, file, { signal }) => {
      const attachment = await dataUri(file);
      const params = {
        ...styled(file.caption ?? ''),
        attachments: [attachment],
        ...(file.kind === 'voice' ? { voiceNote: true } : {}),
      };
      return send(to, params, { signal, limitMs: fileMs, repeatable: false });
    },
    edit: async (to, messageId, text, { signal }: SendOptions) => {
      const editTimestamp = timestampOf(messageId);
      if (editTimestamp === null) throw new PortError('Platform.MessageRejected', 'There is no such message to edit.');
      await send(to, { ...styled(text.text), editTimestamp }, { signal, limitMs: sendMs, repeatable: true });
    },
    typing: async (to, signal) => {
      await daemon.call('sendTyping', recipientOf(to, account), { signal, limitMs: typingMs, repeatable: true });
    },
    reconcile: () => Promise.resolve({ state: 'unknown' }),
  };
}

/** People have a number, an account id or a user name; everything else is a group. */
function recipientOf({ chat }: PlatformAddress, account: string): Readonly<Record<string, unknown>> {
  if (chat === account) return { noteToSelf: true };
  if (chat.startsWith('u:')) return { username: [chat.slice(2)] };
  const isPerson = /^\+\d{4,20}$/.test(chat) || /^(PNI:)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(chat);
  return isPerson ? { recipient: [chat] } : { groupId: chat };
}

function styled(written: string): Readonly<Record<string, unknown>> {
  const { text, styles } = signalStyles(written);
  // The daemon would turn it into an attachment.
  if (Buffer.byteLength(text) > capabilities.text.max) {
    throw new PortError('Platform.MessageRejected', 'The text is too long for one message of Signal.');
  }
  return { message: text, ...(styles.length === 0 ? {} : { textStyle: styles }) };
}

/** Ids of what people wrote are `author:timestamp`, ids of the agent's own messages `timestamp`. */
function quoteOf({ replyTo }: OutboundText, account: string): Readonly<Record<string, unknown>> {
  if (replyTo === undefined) return {};
  const colon = replyTo.lastIndexOf(':');
  const quoteTimestamp = timestampOf(replyTo.slice(colon + 1));
  if (quoteTimestamp === null) return {};
  return { quoteTimestamp, quoteAuthor: colon === -1 ? account : replyTo.slice(0, colon) };
}

function timestampOf(id: string): number | null {
  return /^\d{1,15}$/.test(id) ? Number(id) : null;
}

async function dataUri(file: OutboundFile): Promise<string> {
  const bytes = await fileBytes(file, capabilities.files.sendBytes);
  // Parameters of the media type would be taken for parts of the file's name.
  const mediaType = /^[\w.+-]+\/[\w.+-]+/.exec(file.mediaType)?.[0] ?? 'application/octet-stream';
  return `data:${mediaType};filename=${encodeURIComponent(file.name)};base64,${bytes.toString('base64')}`;
}
