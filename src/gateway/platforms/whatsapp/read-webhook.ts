import { createHash } from 'node:crypto';
import { PortError } from '../../../lib/port-error.ts';
import { fields, instant, isFields, list, name, words, type Fields } from '../json-fields.ts';
import type { PlatformEvent, PlatformFile } from '../platform.ts';
import { commandOf } from '../typed-command.ts';

/** What became of a message that was sent. */
export interface DeliveryStatus {
  readonly messageId: string;
  /** As it was sent along; null for messages of others. */
  readonly callbackData: string | null;
  readonly state: 'sent' | 'failed';
  /** The API's error where it failed. */
  readonly error: Fields;
}

/** The text of buttons is not the text of the person. */
const ownData = /^[\x21-\x7e]{1,40}$/;

/**
 * The events of a webhook's payload, oldest first; none where it has none for this number; a PortError for what is no
 * payload of WhatsApp. Reactions, changes of number and what WhatsApp cannot show are no events. Pure, never throws.
 */
export function readEvents(payload: unknown, phoneNumberId: string): readonly PlatformEvent[] | PortError {
  if (fields(payload)['object'] !== 'whatsapp_business_account') {
    return new PortError('Platform.MessageRejected', 'A call of the webhook was left out: it is not about WhatsApp.');
  }
  return valuesOf(payload, phoneNumberId).flatMap((value) => {
    const contacts = list(value['contacts']).map(fields);
    return list(value['messages']).flatMap((message) => {
      const event = eventOf(fields(message), contacts);
      return event === null ? [] : [event];
    });
  });
}

/** The statuses of a webhook's payload. Pure, never throws. */
export function readStatuses(payload: unknown, phoneNumberId: string): readonly DeliveryStatus[] {
  return valuesOf(payload, phoneNumberId).flatMap((value) =>
    list(value['statuses']).flatMap((one) => {
      const status = fields(one);
      const messageId = words(status['id']);
      const state = status['status'];
      if (messageId === null || !['sent', 'delivered', 'read', 'played', 'failed'].includes(String(state))) return [];
      return [
        {
          messageId,
          callbackData: name(status['biz_opaque_callback_data']),
          state: state === 'failed' ? ('failed' as const) : ('sent' as const),
          error: fields(list(status['errors'])[0]),
        },
      ];
    }),
  );
}

function valuesOf(payload: unknown, phoneNumberId: string): readonly Fields[] {
  return list(fields(payload)['entry']).flatMap((entry) =>
    list(fields(entry)['changes']).flatMap((change) => {
      const { field, value } = fields(change);
      if (field !== 'messages' || !isFields(value)) return [];
      // One app may have several numbers; each is an account of its own.
      return fields(value['metadata'])['phone_number_id'] === phoneNumberId ? [value] : [];
    }),
  );
}

function eventOf(message: Fields, contacts: readonly Fields[]): PlatformEvent | null {
  const messageId = words(message['id']);
  const from = name(message['from']) ?? name(message['from_user_id']);
  const at = instant(Number(words(message['timestamp']) ?? '0') * 1000);
  if (messageId === null || messageId.length > 500 || from === null || at === null) return null;
  if (message['group_id'] !== undefined) return null;
  const contact = contacts.find((one) => one['wa_id'] === from || one['user_id'] === from);
  const called = words(fields(contact?.['profile'])['name'])?.slice(0, 100) ?? from;
  const head = {
    key: messageId.length <= 140 ? messageId : `sha256/${createHash('sha256').update(messageId).digest('hex')}`,
    chat: { id: from, kind: 'direct' as const },
    sender: { id: from, name: called },
    at,
  };
  const pressed = pressOf(message);
  if (pressed !== null) {
    return { ...head, kind: 'button', data: pressed, messageId: words(fields(message['context'])['id']) ?? messageId };
  }
  const { text, files } = contentOf(message);
  if (text === '' && files.length === 0) return null;
  const command = files.length === 0 ? commandOf(text) : null;
  if (command !== null) return { ...head, kind: 'command', ...command, messageId };
  return { ...head, kind: 'message', text, messageId, addressed: true, files };
}

/** The data of a button or of a list's row that was chosen. */
function pressOf(message: Fields): string | null {
  const interactive = fields(message['interactive']);
  const reply = fields(interactive['button_reply'] ?? interactive['list_reply']);
  const data = words(reply['id']) ?? words(fields(message['button'])['payload']);
  return data !== null && ownData.test(data) ? data : null;
}

function contentOf(message: Fields): { readonly text: string; readonly files: readonly PlatformFile[] } {
  const { type } = message;
  const body = fields(message[String(type)]);
  switch (type) {
    case 'image':
    case 'sticker':
      return { text: words(body['caption']) ?? '', files: fileOf(body, 'image') };
    case 'video':
      return { text: words(body['caption']) ?? '', files: fileOf(body, 'video') };
    case 'document':
      return { text: words(body['caption']) ?? '', files: fileOf(body, kindOf(words(body['mime_type']) ?? '')) };
    case 'audio':
      return { text: '', files: fileOf(body, body['voice'] === true ? 'voice' : 'audio') };
    default:
      return { text: textOf(message, body), files: [] };
  }
}

function textOf({ type, contacts }: Fields, body: Fields): string {
  switch (type) {
    case 'text':
      return words(body['body']) ?? '';
    case 'button':
      return words(body['text']) ?? '';
    case 'interactive':
      return words(fields(body['button_reply'] ?? body['list_reply'])['title']) ?? '';
    case 'location': {
      const place = [body['name'], body['address'], `${String(body['latitude'])}, ${String(body['longitude'])}`];
      return `Location: ${place.filter((one) => typeof one === 'string').join(', ')}`;
    }
    case 'contacts': {
      const called = list(contacts).map((one) => words(fields(fields(one)['name'])['formatted_name']));
      return `Contacts: ${called.filter((one) => one !== null).join(', ')}`;
    }
    default:
      return '';
  }
}

/** Pictures and sounds are sent as documents to keep their quality. */
function kindOf(mediaType: string): PlatformFile['kind'] {
  const [, kind] = /^(image|audio|video)\//.exec(mediaType) ?? [];
  return (kind as 'image' | 'audio' | 'video' | undefined) ?? 'document';
}

function fileOf(body: Fields, kind: PlatformFile['kind']): readonly PlatformFile[] {
  const id = name(body['id']);
  if (id === null) return [];
  const mediaType = words(body['mime_type'])?.slice(0, 100) ?? 'application/octet-stream';
  const ending = /^[\w.+-]+\/(?:x-)?([a-z0-9]{1,5})\b/.exec(mediaType)?.[1] ?? 'bin';
  const called = words(body['filename'])?.slice(0, 200) ?? `${kind}.${ending}`;
  return [{ kind, name: called, mediaType, sizeBytes: null, reference: { id } }];
}
