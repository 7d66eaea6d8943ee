import { PortError } from '../../../lib/port-error.ts';
import { fileBytes } from '../file-bytes.ts';
import { fields, list, words, type Fields } from '../json-fields.ts';
import type { OutboundButton, OutboundFile, OutboundText, PlatformAddress, PlatformOutbound } from '../platform.ts';
import { callbackDataOf, type Graph } from './graph.ts';

const sendMs = 30_000;
const uploadMs = 240_000;
const typingMs = 5_000;
/** Longest text above buttons; above a list it is as long as any other. */
const buttonTextMax = 1024;

/** Largest file WhatsApp shows as what it is, and the types it takes; everything else goes as a document. */
const shown: Readonly<Record<string, { readonly bytes: number; readonly types: RegExp }>> = {
  image: { bytes: 5_000_000, types: /^image\/(jpeg|png)$/ },
  video: { bytes: 16_000_000, types: /^video\/(mp4|3gpp)$/ },
  audio: { bytes: 16_000_000, types: /^audio\/(aac|mp4|mpeg|amr|ogg)$/ },
  voice: { bytes: 16_000_000, types: /^audio\/ogg$/ },
};
const documentBytes = 100_000_000;

export interface OutboundDeps {
  readonly graph: Graph;
  readonly phoneNumberId: string;
  /** The last message a person wrote, to which "is typing" belongs. */
  lastFrom(chat: string): string | undefined;
  /** The answer to a send came. */
  settled(callbackData: string): void;
  readonly reconcile: PlatformOutbound['reconcile'];
}

export function whatsAppOutbound({ graph, phoneNumberId, ...deps }: OutboundDeps): PlatformOutbound {
  const path = `${encodeURIComponent(phoneNumberId)}/messages`;
  const send = async (
    { chat }: PlatformAddress,
    content: Fields,
    { key, signal }: { readonly key: string; readonly signal: AbortSignal },
  ): Promise<{ readonly messageId: string }> => {
    const callbackData = callbackDataOf(key);
    const body = {
      messaging_product: 'whatsapp',
      recipient_type: 'individual',
      to: chat,
      biz_opaque_callback_data: callbackData,
      ...content,
    };
    const answer = await graph.post(path, body, { signal, limitMs: sendMs, repeatable: false });
    const messageId = words(fields(list(answer['messages'])[0])['id']);
    if (messageId === null) {
      throw new PortError('Platform.Ambiguous', 'WhatsApp took it and did not say under which id.');
    }
    deps.settled(callbackData);
    return { messageId };
  };

  return {
    sendText: (to, text, options) => send(to, { ...contentOf(text), ...contextOf(text) }, options),
    sendFile: async (to, file, options) => {
      const kind = kindOf(file);
      const bytes = await fileBytes(file, documentBytes);
      const form = new FormData();
      form.set('messaging_product', 'whatsapp');
      form.set('type', typeOf(file));
      form.set('file', new Blob([new Uint8Array(bytes)], { type: typeOf(file) }), file.name);
      const { signal } = options;
      const upload = `${encodeURIComponent(phoneNumberId)}/media`;
      // Seen by nobody before it is sent.
      const { id } = await graph.upload(upload, form, { signal, limitMs: uploadMs, repeatable: true });
      if (typeof id !== 'string') throw new PortError('Platform.Unavailable', 'WhatsApp did not keep the file.');
      return send(to, fileContent(file, kind, id), options);
    },
    edit: () =>
      Promise.reject(new PortError('Platform.MessageRejected', 'WhatsApp lets no business edit its messages.')),
    typing: async ({ chat }, signal) => {
      const messageId = deps.lastFrom(chat);
      if (messageId === undefined) return;
      // Also marks what the person wrote as read.
      const body = {
        messaging_product: 'whatsapp',
        status: 'read',
        message_id: messageId,
        typing_indicator: { type: 'text' },
      };
      await graph.post(path, body, { signal, limitMs: typingMs, repeatable: true });
    },
    reconcile: deps.reconcile,
  };
}

function contextOf({ replyTo }: OutboundText): Fields {
  return replyTo === undefined ? {} : { context: { message_id: replyTo } };
}

function contentOf({ text, buttons = [] }: OutboundText): Fields {
  if (buttons.length === 0) return { type: 'text', text: { body: text, preview_url: false } };
  const body = { text };
  if (buttons.length <= 3 && text.length <= buttonTextMax) {
    const replies = distinct(buttons, 20).map(({ title, id }) => ({ type: 'reply', reply: { id, title } }));
    return { type: 'interactive', interactive: { type: 'button', body, action: { buttons: replies } } };
  }
  const sections = [{ title: 'Choices', rows: distinct(buttons, 24) }];
  return { type: 'interactive', interactive: { type: 'list', body, action: { button: 'Choose', sections } } };
}

/** Titles are short, and no two may be the same. */
function distinct(buttons: readonly OutboundButton[], max: number): readonly { id: string; title: string }[] {
  const taken = new Set<string>();
  return buttons.map(({ label, data }, index) => {
    const short = cut(label.trim() === '' ? '…' : label, max);
    const title = taken.has(short) ? `${cut(label, max - 3)} ${index + 1}` : short;
    taken.add(title);
    return { id: data, title };
  });
}

function cut(label: string, max: number): string {
  if (label.length <= max) return label;
  // Half a surrogate pair is no character.
  return `${label.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function typeOf({ mediaType }: OutboundFile): string {
  return /^[\w.+-]+\/[\w.+-]+/.exec(mediaType)?.[0] ?? 'application/octet-stream';
}

/** Sounds have no caption, so with one they go as documents. */
function kindOf(file: OutboundFile): OutboundFile['kind'] {
  const limit = shown[file.kind];
  const isSound = file.kind === 'audio' || file.kind === 'voice';
  const isShown = limit?.types.test(typeOf(file)) === true && file.sizeBytes <= limit.bytes;
  return isShown && !(isSound && file.caption !== undefined) ? file.kind : 'document';
}

function fileContent(file: OutboundFile, kind: OutboundFile['kind'], id: string): Fields {
  const caption = file.caption === undefined || file.caption === '' ? {} : { caption: file.caption };
  switch (kind) {
    case 'voice':
      return { type: 'audio', audio: { id, voice: true } };
    case 'audio':
      return { type: 'audio', audio: { id } };
    case 'image':
    case 'video':
      return { type: kind, [kind]: { id, ...caption } };
    case 'document':
      return { type: 'document', document: { id, filename: file.name, ...caption } };
  }
}
