import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { PortError } from '../../lib/port-error.ts';
import type { OutboxFile, OutboxPart, OutboxRow } from '../../store/outbox-ports.ts';
import type { Store } from '../../store/ports.ts';
import type { OpenAccount } from '../accounts.ts';
import type { Cut } from './cut.ts';
import type { Desk } from './desk.ts';
import type { OutboundFile, OutboundText, PlatformAddress } from '../platforms/platform.ts';

/** What became of one try. */
export type Verdict =
  | { readonly kind: 'sent'; readonly messageId: string }
  /** Nobody knows, and nobody can find out. */
  | { readonly kind: 'ambiguous'; readonly error: string }
  /** Not now. `doubt`: this try may have arrived after all. */
  | { readonly kind: 'later'; readonly afterMs: number | null; readonly doubt: boolean; readonly error: string }
  | { readonly kind: 'refused'; readonly error: string }
  | { readonly kind: 'gone'; readonly error: string };

/** One part of a message on its way to an open account. */
export interface PartTry {
  readonly row: OutboxRow;
  readonly index: number;
  readonly part: OutboxPart;
  readonly account: OpenAccount;
  /** The message was cut just now, and that is not in the store yet. */
  readonly cut?: Cut;
}

/** Longest key of a platform's delivery. */
const longestKey = 200;

/** Names the delivery of a part for ever. */
export function partKey(id: string, index: number): string {
  const key = `${id}/part-${index}`;
  if (key.length <= longestKey) return key;
  return `${id.slice(0, 120)}#${createHash('sha256').update(id).digest('hex').slice(0, 40)}/part-${index}`;
}

export function addressOf({ to }: Pick<OutboxRow, 'to'>): PlatformAddress {
  return { chat: to.chat, ...(to.thread === undefined ? {} : { thread: to.thread }) };
}

/** One request to the platform. Never rejects. */
export async function sendOnce(desk: Desk, one: PartTry): Promise<Verdict> {
  const { row, index, part, account } = one;
  const { outbound } = account.connection;
  try {
    return await desk.request(async (signal) => {
      const options = { key: partKey(row.id, index), signal };
      const sent =
        part.carries === 'file' && row.file !== null
          ? await outbound.sendFile(addressOf(row), fileOf(desk.store, row.file, part), options)
          : await outbound.sendText(addressOf(row), textOf(row, index), options);
      return { kind: 'sent', messageId: sent.messageId };
    });
  } catch (error) {
    return verdictOfError(error, account.descriptor.capabilities.sendsOnce, desk);
  }
}

/** Edits a message that is shown already; it may be repeated, so nothing stays in doubt. Never rejects. */
export async function editOnce(
  desk: Desk,
  messageId: string,
  text: OutboundText,
  one: Omit<PartTry, 'part'>,
): Promise<Verdict> {
  const { row, index, account } = one;
  const key = `${partKey(row.id, index)}/edit`.slice(-longestKey);
  try {
    return await desk.request(async (signal) => {
      await account.connection.outbound.edit(addressOf(row), messageId, text, { key, signal });
      return { kind: 'sent', messageId };
    });
  } catch (error) {
    return verdictOfError(error, 'native', desk);
  }
}

/** With its buttons under the last part, and as an answer to what it answers with the first. */
export function textOf(row: OutboxRow, index: number): OutboundText {
  const part = row.parts?.[index];
  const isLast = index === (row.parts?.length ?? 0) - 1;
  return {
    text: part?.text ?? '',
    ...(isLast && row.buttons.length > 0 ? { buttons: buttonsOf(row) } : {}),
    ...(index === 0 && row.replyTo !== null && part?.plain === undefined ? { replyTo: row.replyTo } : {}),
  };
}

function buttonsOf({ token, buttons }: OutboxRow): NonNullable<OutboundText['buttons']> {
  return buttons.map(({ label, decision }, index) => ({
    label,
    data: `${token}:${index}`,
    ...(decision === 'deny' ? { style: 'danger' } : index === 0 && decision === 'approve' ? { style: 'primary' } : {}),
  }));
}

function verdictOfError(error: unknown, sendsOnce: 'native' | 'reconcile' | 'none', { deps }: Desk): Verdict {
  // It is kept, and shown to people; some libraries quote the address they called, token and all.
  const message = deps.redact(error instanceof Error ? error.message : String(error));
  // Whatever an adapter did not foresee may have happened after the request went out.
  const code = PortError.is(error) ? error.code : 'Platform.Ambiguous';
  switch (code) {
    case 'Platform.RecipientGone':
      return { kind: 'gone', error: message };
    case 'Platform.MessageRejected':
      return { kind: 'refused', error: message };
    case 'Platform.Ambiguous':
      if (sendsOnce === 'none') return { kind: 'ambiguous', error: message };
      return { kind: 'later', afterMs: null, doubt: true, error: message };
    default:
      return {
        kind: 'later',
        afterMs: (PortError.is(error) ? error.retryAfterMs : undefined) ?? null,
        doubt: false,
        error: message,
      };
  }
}

/** @returns `send` when it can be sent (again) without doubling it. Never rejects. */
export async function resolveDoubt(desk: Desk, one: PartTry): Promise<Verdict | 'send'> {
  const { settleMs } = desk.times;
  const { row, index, part, account } = one;
  const { sendsOnce, keyHoldsMs = Infinity } = account.descriptor.capabilities;
  const startedAt = part.startedAt ?? row.createdAt;
  if (sendsOnce === 'none') return { kind: 'ambiguous', error: row.error ?? doubtful };
  if (sendsOnce === 'native' && Date.now() - Date.parse(startedAt) < keyHoldsMs) return 'send';
  try {
    const found = await account.connection.outbound.reconcile(addressOf(row), partKey(row.id, index), startedAt);
    if (found.state === 'sent') return { kind: 'sent', messageId: found.messageId };
    if (found.state === 'unknown') return { kind: 'ambiguous', error: row.error ?? doubtful };
    // It may still be under way.
    const left = Date.parse(part.triedAt ?? startedAt) + settleMs - Date.now();
    if (left <= 0) return 'send';
    return { kind: 'later', afterMs: Math.min(left, settleMs / 5), doubt: true, error: row.error ?? doubtful };
  } catch (error) {
    const verdict = verdictOfError(error, 'reconcile', desk);
    if (verdict.kind === 'later') return { ...verdict, doubt: true };
    return { kind: 'ambiguous', error: row.error ?? doubtful };
  }
}

const doubtful = 'it was being sent when the sender ended';
const chunkBytes = 256 * 1024;

function fileOf(store: Pick<Store, 'outbox' | 'blobs'>, file: OutboxFile, part: OutboxPart): OutboundFile {
  const { name, mediaType, sizeBytes, kind } = file;
  return {
    name,
    mediaType,
    sizeBytes,
    kind,
    ...(part.text === '' ? {} : { caption: part.text }),
    open: async () => {
      const first = await readBytes(store, file, 0);
      if (first === null) throw new PortError('Platform.MessageRejected', `The file ${name} is not in the store.`);
      return Readable.from(chunks(store, file, first), { objectMode: false });
    },
  };
}

async function* chunks(store: Pick<Store, 'outbox' | 'blobs'>, file: OutboxFile, first: Buffer): AsyncIterable<Buffer> {
  let bytes: Buffer | null = first;
  for (let offset = 0; bytes !== null && bytes.length > 0;) {
    yield bytes;
    offset += bytes.length;
    bytes = offset < file.sizeBytes ? await readBytes(store, file, offset) : null;
  }
}

async function readBytes(
  store: Pick<Store, 'outbox' | 'blobs'>,
  { source }: OutboxFile,
  offset: number,
): Promise<Buffer | null> {
  const range = { offset, maxBytes: chunkBytes };
  if ('ownId' in source) return store.outbox.readFile(source.ownId, range);
  return (await store.blobs.get(source.blobId, range))?.bytes ?? null;
}
