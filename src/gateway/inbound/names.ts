import { createHash } from 'node:crypto';
import type { PlatformChat } from '../platforms/platform.ts';

/** Names made from a platform's own ids: the same ones for ever, whatever is restarted. */

/** The id under which an event becomes a message; also the key of the command it gives. 8 to 200 characters. */
export function inboundIdOf(account: string, key: string): string {
  const id = `${account}:${key}`;
  return id.length < 8 ? `${id}#${digest(id, 8)}` : bounded(id);
}

/** The key of something the gateway says because of an event. */
export function replyKeyOf(account: string, key: string, what: string): string {
  return bounded(`event/${account}/${key}/${what}`);
}

/** What is processed one after the other. */
export function laneOf(account: string, chat: PlatformChat): string {
  return JSON.stringify([account, chat.id, chat.thread ?? '']);
}

/** The person of somebody who has none yet: `telegram-77`. */
export function personIdOf(account: string, userId: string): string {
  return plain(`${account}-${userId}`);
}

/** A group is a person of its own, so that nobody's memory is told to others. */
export function groupPersonIdOf(account: string, chat: string): string {
  return `group:${plain(`${account}:${chat}`)}`;
}

/** Where ChatConversation keeps what a group, or a thread of it, goes on with. */
export function chatKeyOf(account: string, chat: PlatformChat): string {
  return [account, chat.id, ...(chat.thread === undefined ? [] : [chat.thread])].join(':');
}

/** Names a file of an event among the attachments of its conversation. */
export function attachmentIdOf(account: string, key: string, index: number): string {
  return digest(JSON.stringify([account, key, index]), 12);
}

function bounded(id: string): string {
  return id.length <= 200 ? id : `${id.slice(0, 160)}#${digest(id, 32)}`;
}

/** Person ids get into names of folders and into addresses of the API. */
function plain(id: string): string {
  const safe = id.replace(/[^\w.:+@-]/g, '.');
  return safe === id && id.length <= 80 ? id : `${safe.slice(0, 60)}.${digest(id, 8)}`;
}

function digest(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
