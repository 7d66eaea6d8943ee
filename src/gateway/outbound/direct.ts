import type { ReplyAddress } from '../../contracts/conversation.ts';
import type { OutboxFile } from '../../store/outbox-ports.ts';
import { Refusal } from '../refusal.ts';
import type { Desk } from './desk.ts';
import { sizeWords } from './cut.ts';
import { fileKindOf } from './file-kind.ts';

/** A message that nobody asked the agent for. */
export interface DirectMessage {
  /** Unique for ever; at most 150 characters. */
  readonly key: string;
  /** `telegram:home`, `telegram/work:CHAT`, `slack:CHAT:THREAD`. */
  readonly to: string | ReplyAddress;
  readonly text: string;
  readonly files: readonly { readonly name: string; readonly mediaType: string; readonly bytes: Buffer }[];
}

/** @returns the ids of the messages. Rejects with a Refusal when the address makes no sense. */
export async function sendDirect(desk: Desk, { key, to, text, files }: DirectMessage): Promise<readonly string[]> {
  const address = typeof to === 'string' ? await addressOf(desk, to) : to;
  for (const file of files) refuseTooLarge(desk, address.platform, file);
  const ids: string[] = [];
  const common = { to: address, conversationId: null };
  if (text.trim() !== '') {
    await desk.store.outbox.enqueue({ ...common, id: key, kind: 'text', text: desk.deps.redact(text) });
    ids.push(key);
  }
  for (const [index, { name, mediaType, bytes }] of files.entries()) {
    const id = `${key}/file-${index}`;
    const kind = fileKindOf(mediaType);
    const file: OutboxFile = { name, mediaType, kind, sizeBytes: bytes.length, source: { ownId: id } };
    await desk.store.outbox.enqueue({ ...common, id, kind: 'file', text: '', file, bytes });
    ids.push(id);
  }
  return ids;
}

/** Said before anything is queued: half a message is worse than none. */
function refuseTooLarge(desk: Desk, platform: string, { name, bytes }: DirectMessage['files'][number]): void {
  const most = desk.deps.setUp().find(({ id }) => id === platform)?.capabilities.files.sendBytes ?? Infinity;
  if (bytes.length <= most) return;
  const sizes = `has ${sizeWords(bytes.length)}, and ${platform} takes at most ${sizeWords(most)}`;
  throw new Refusal('Api.TooLarge', `The file ${name} ${sizes}.`, { hint: 'Nothing was sent.', param: 'files' });
}

async function addressOf(desk: Desk, to: string): Promise<ReplyAddress> {
  const colon = to.indexOf(':');
  const platform = colon < 0 ? to : to.slice(0, colon);
  const rest = colon < 0 ? 'home' : to.slice(colon + 1);
  const known = desk.deps.setUp();
  const account = known.find(({ id }) => id === platform);
  if (account === undefined) {
    const names = known.map(({ id }) => id).join(', ');
    const hint = names === '' ? 'hermes gateway setup connects a chat platform.' : `There is ${names}.`;
    throw new Refusal('Api.NotFound', `No account ${platform} is set up.`, { hint, param: 'to' });
  }
  if (rest === 'home') {
    const home = await desk.deps.home(platform);
    if (home !== null) return { platform, ...home };
    const hint = `Write /sethome in a chat there, or set gateway.${platform}.home.`;
    throw new Refusal('Api.NotFound', `${platform} has no home chat.`, { hint, param: 'to' });
  }
  if (rest === '') throw new Refusal('Api.Invalid', 'An address is PLATFORM:CHAT.', { param: 'to' });
  const [, chat = rest, thread] = /^(.+?):([^:]+)$/u.exec(rest) ?? [];
  return thread === undefined || !account.capabilities.threads ? { platform, chat: rest } : { platform, chat, thread };
}
