/** The account as people name it: its phone number and, since 2025, a second id that hides the number (LID). */
export interface Self {
  readonly id: string;
  readonly lid: string | null;
  /** What the owner writes to themselves counts as a message. */
  readonly selfChat: boolean;
  /** Subject of a group as far as it is known. */
  readonly groupTitle?: (jid: string) => string | undefined;
}

const phoneServer = 's.whatsapp.net';

/** `4915…:3@s.whatsapp.net` as `4915…@s.whatsapp.net`: the person, whichever of their devices. */
export function withoutDevice(jid: string): string {
  const at = jid.indexOf('@');
  return at < 0 ? jid : `${jid.slice(0, at).split(/[:_]/)[0] ?? ''}${jid.slice(at)}`;
}

/**
 * One name for a person or group whichever way WhatsApp addresses them: the digits of the phone number where it is known,
 * else the LID with its server; groups by their jid.
 */
export function chatName(jid: string, alternative?: string | null): string {
  const plain = withoutDevice(jid);
  const other = alternative === undefined || alternative === null ? '' : withoutDevice(alternative);
  for (const one of [plain, other]) {
    if (one.endsWith(`@${phoneServer}`)) return one.slice(0, -phoneServer.length - 1);
  }
  return plain;
}

/** The jid of an address: digits are a phone number. Null for what can be none. */
export function jidOf(chat: string): string | null {
  if (/^\+?\d{5,20}$/.test(chat)) return `${chat.replace('+', '')}@${phoneServer}`;
  return /^[\d-]{5,40}@(s\.whatsapp\.net|lid|g\.us)$/.test(chat) ? chat : null;
}

export function isGroup(jid: string): boolean {
  return jid.endsWith('@g.us');
}

/** Chats that people talk in; not status updates, channels or broadcast lists. */
export function isTalk(jid: string): boolean {
  return /@(s\.whatsapp\.net|lid|g\.us)$/.test(jid);
}

export function isSelf(jid: string, self: Self): boolean {
  const plain = withoutDevice(jid);
  return plain === withoutDevice(self.id) || (self.lid !== null && plain === withoutDevice(self.lid));
}
