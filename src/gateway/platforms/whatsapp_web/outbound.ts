import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { proto } from 'baileys';
import { PortError } from '../../../lib/port-error.ts';
import type {
  OutboundFile,
  OutboundText,
  PlatformAddress,
  PlatformLog,
  PlatformOutbound,
  SendOptions,
} from '../platform.ts';
import { refusalOf, unsentError } from './failures.ts';
import { uploadMedia } from './media.ts';
import { isGroup, jidOf } from './people.ts';
import type { SentMessages } from './sent-messages.ts';
import type { Session } from './session.ts';
import { textLimit } from './text-limit.ts';

/** A session that can send, and what of the account's store it needs. */
export interface Sender {
  readonly session: Session;
  readonly sent: SentMessages;
  /** Who wrote a message that came in, and what; null for one that is not remembered. */
  quoted(id: string): { readonly participant: string; readonly text: string } | null;
}

interface OutboundDeps {
  /** Waits a little while the connection is being made. Rejects with Unavailable, or with why there is none. */
  sender(signal: AbortSignal): Promise<Sender>;
  readonly mediaUrl: string | null;
  readonly log: PlatformLog;
}

interface Going {
  readonly jid: string;
  readonly id: string;
  readonly signal: AbortSignal;
  readonly attributes?: Readonly<Record<string, string>>;
}

const answerMs = 30_000;

/** Sends through the session of now. Ids come from the delivery key, so a repeat is dropped by whoever has it already. */
export function createOutbound(deps: OutboundDeps): PlatformOutbound {
  return {
    sendText: async (to, text, options) => {
      const jid = addressed(to, text.text);
      const sender = await deps.sender(options.signal);
      const id = messageId(options.key);
      await relay(sender, textMessage(sender, jid, text), { jid, id, signal: options.signal });
      return { messageId: id };
    },
    sendFile: (to, file, options) => sendFile(deps, to, file, options),
    edit: async (to, edited, text, options) => {
      const jid = addressed(to, text.text);
      const sender = await deps.sender(options.signal);
      const editedMessage = { extendedTextMessage: { text: text.text } };
      const type = proto.Message.ProtocolMessage.Type.MESSAGE_EDIT;
      const key = { remoteJid: jid, fromMe: true, id: edited };
      const message = { protocolMessage: { key, editedMessage, timestampMs: Date.now(), type } };
      // One key edits many times while an answer grows; the same text again is the same edit.
      const id = messageId(`${options.key}\0${edited}\0${text.text}`);
      await relay(sender, message, { jid, id, signal: options.signal, attributes: { edit: '1' } });
    },
    typing: async (to, signal) => {
      const jid = addressed(to, '');
      const { session } = await deps.sender(signal);
      await session.socket.sendPresenceUpdate('composing', jid).catch((error: unknown) => {
        throw unsentError(error);
      });
    },
    reconcile: () => Promise.resolve({ state: 'unknown' }),
  };
}

/** As WhatsApp Web makes its ids, but always the same for one key. */
export function messageId(key: string): string {
  return `3EB0${createHash('sha256').update(key).digest('hex').slice(0, 18).toUpperCase()}`;
}

async function sendFile(
  deps: OutboundDeps,
  to: PlatformAddress,
  file: OutboundFile,
  options: SendOptions,
): Promise<{ messageId: string }> {
  const jid = addressed(to, file.caption ?? '');
  const { signal, key } = options;
  const sender = await deps.sender(signal);
  const message = await uploadMedia(file, sender.session, { signal, mediaUrl: deps.mediaUrl, log: deps.log });
  const id = messageId(key);
  await relay(sender, message, { jid, id, signal });
  // Sound has no caption there; the words follow under a key of their own.
  if (message.audioMessage && file.caption !== undefined && file.caption !== '') {
    const words = { extendedTextMessage: { text: file.caption } };
    await relay(sender, words, { jid, id: messageId(`${key}\0caption`), signal });
  }
  return { messageId: id };
}

function addressed({ chat }: PlatformAddress, text: string): string {
  const jid = jidOf(chat);
  if (jid === null) throw new PortError('Platform.RecipientGone', 'This is no chat of WhatsApp.');
  if (text.length > textLimit.max) {
    throw new PortError('Platform.MessageRejected', `A message of WhatsApp has at most ${textLimit.max} characters.`);
  }
  return jid;
}

function textMessage(sender: Sender, jid: string, { text, replyTo }: OutboundText): proto.IMessage {
  if (replyTo === undefined) return { extendedTextMessage: { text } };
  const quoted = sender.quoted(replyTo) ?? (isGroup(jid) ? null : { participant: jid, text: '' });
  // In a group an answer needs its author; without one it is a message of its own.
  if (quoted === null) return { extendedTextMessage: { text } };
  const contextInfo = {
    stanzaId: replyTo,
    participant: quoted.participant,
    quotedMessage: { conversation: quoted.text },
  };
  return { extendedTextMessage: { text, contextInfo } };
}

/** Baileys is done when the message is on the wire; here it is done when the server has taken it. */
async function relay({ session, sent }: Sender, message: proto.IMessage, going: Going): Promise<void> {
  const { jid, id, signal, attributes } = going;
  await sent.save(id, message).catch(() => {
    throw new PortError('Platform.Unavailable', 'Nothing was sent: the message could not be noted down before.');
  });
  if (signal.aborted) throw new PortError('Platform.Unavailable', 'Nothing was sent: it was given up before.');
  const answer = session.answerTo(id);
  const written = session.socket.relayMessage(jid, message, {
    messageId: id,
    ...(attributes === undefined ? {} : { additionalAttributes: { ...attributes } }),
  });
  const isWritten = (): Promise<boolean> =>
    Promise.race([
      written.then(
        () => true,
        () => false,
      ),
      sleep(500, true, { ref: false }),
    ]);
  const givingUp = new AbortController();
  try {
    const outcome = await Promise.race([
      answer.came,
      written.then(
        () => answer.came,
        (error: unknown) => unsentError(error),
      ),
      session.ended.then(() => 'ended' as const),
      aborted(AbortSignal.any([signal, givingUp.signal])),
      sleep(answerMs, 'late' as const, { signal: givingUp.signal, ref: false }),
    ]);
    if (PortError.is(outcome)) throw outcome;
    if (typeof outcome === 'object') {
      const refusal = refusalOf(outcome);
      if (refusal !== null) throw refusal;
      return;
    }
    if (outcome === 'ended' && !(await isWritten())) {
      throw new PortError('Platform.Unavailable', 'The message was not sent: the connection was lost before.');
    }
    // Still on its way within Baileys it would hold up all that follows.
    if (outcome === 'late') session.end(new Error('no answer'));
    throw new PortError('Platform.Ambiguous', 'The message went out and WhatsApp gave no answer.');
  } finally {
    answer.forget();
    givingUp.abort();
  }
}

function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('aborted');
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}
