import { setTimeout as sleep } from 'node:timers/promises';
import { PortError } from '../../lib/port-error.ts';
import type { ConfiguredAccount } from '../accounts.ts';
import type { PlatformChat, PlatformFile } from '../platforms/platform.ts';
import { describeFile, fetchAttachment, largestAttachment, type Fetched } from './attachments.ts';
import type { InboundDeps, InboundTimes, TranscribeNote } from './deps.ts';
import { deadline, isOver, wordsOf } from './failures.ts';
import { Gate } from './gate.ts';
import { attachmentIdOf, replyKeyOf } from './names.ts';
import { voiceSeconds } from './voice-length.ts';

/** A file of a message, and where it belongs. */
export interface FileOfTurn {
  readonly account: ConfiguredAccount;
  readonly chat: PlatformChat;
  readonly conversationId: string;
  /** Of the event. */
  readonly key: string;
  readonly index: number;
  readonly file: PlatformFile;
}

/** Fetches that failed before the message goes on without the file. */
const mostTries = 8;
const fetchesAtOnce = 4;
const transcriptionTries = 2;

/**
 * Brings files of messages into the store as attachments of their conversation and says what the model reads of them; a
 * voice note becomes its words. Idempotent by event key and index. Rejects with a retryable PortError where another try
 * may get the file.
 */
export class FileTaker {
  private readonly deps: InboundDeps & { readonly times: InboundTimes };
  private readonly gate = new Gate(fetchesAtOnce);
  private readonly failures = new Map<string, number>();

  constructor(deps: InboundDeps & { readonly times: InboundTimes }) {
    this.deps = deps;
  }

  async take(of: FileOfTurn, signal: AbortSignal): Promise<string> {
    const { file } = of;
    const id = attachmentIdOf(of.account.id, of.key, of.index);
    const kept = await this.deps.store.blobs.get(attachmentBlobId(of.conversationId, id), { offset: 0, maxBytes: 1 });
    if (kept !== null) return attachmentLine(of, id, kept.sizeBytes, this.deps.transcribe() !== null);
    return this.gate.run(async () => {
      const fetched = await this.fetch(of, id, signal);
      if (fetched.kind === 'too-large') return describeFile(file, { note: fetched.what, joint: ': ' });
      if (fetched.kind === 'failed') {
        return describeFile(file, { note: `could not be fetched (${fetched.reason})`, joint: ': ' });
      }
      const transcribe = file.kind === 'voice' ? this.deps.transcribe() : null;
      const words = transcribe === null ? null : await this.hear(of, transcribe, fetched.bytes, signal);
      if (words !== null) return words;
      const blob = { id: attachmentBlobId(of.conversationId, id), mediaType: file.mediaType, bytes: fetched.bytes };
      await this.deps.store.blobs.put({ ...blob, conversationId: of.conversationId });
      return attachmentLine(of, id, fetched.bytes.length, transcribe !== null);
    });
  }

  private async fetch(of: FileOfTurn, id: string, signal: AbortSignal): Promise<Fetched> {
    const { account, file } = of;
    const connection = this.deps.connection(account.id);
    if (connection === undefined) throw new PortError('Platform.Unavailable', `${account.id} is not connected`);
    const maxBytes = Math.min(account.descriptor.capabilities.files.receiveBytes, largestAttachment);
    const { fileMs: totalMs, fileStallMs: stallMs } = this.deps.times;
    try {
      const fetched = await fetchAttachment(connection, file, { maxBytes, totalMs, stallMs }, signal);
      this.failures.delete(id);
      return fetched;
    } catch (error) {
      if (isOver(signal)) throw error;
      const failures = (this.failures.get(id) ?? 0) + 1;
      this.failures.set(id, failures);
      if (failures < mostTries) throw error;
      this.failures.delete(id);
      this.deps.log.warn({ account: account.id, key: of.key, err: error }, 'a file could not be fetched');
      return { kind: 'failed', reason: wordsOf(error) };
    }
  }

  /** The words as a text; null when they could not be made out, which the person has then been told. */
  private async hear(
    of: FileOfTurn,
    transcribe: TranscribeNote,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<string | null> {
    const { account, file, key, index } = of;
    try {
      const words = await this.transcribed(transcribe, { bytes, name: file.name, mediaType: file.mediaType }, signal);
      if (this.deps.showTranscript()) {
        await this.tell(of, `transcript/${String(index)}`, `I heard:\n\n${quoted(words)}`);
      }
      const seconds = voiceSeconds(bytes);
      return `[voice note${seconds === null ? '' : `, ${String(Math.max(1, Math.round(seconds)))} s`}] ${words}`;
    } catch (error) {
      if (isOver(signal) || isOfStore(error)) throw error;
      this.deps.log.warn({ account: account.id, key, err: error }, 'a voice note could not be transcribed');
      const text = `I could not make out your voice note (${wordsOf(error)}). The agent gets it as a file.`;
      await this.tell(of, `transcript/${String(index)}/failed`, text);
      return null;
    }
  }

  private async transcribed(
    transcribe: TranscribeNote,
    file: Parameters<TranscribeNote>[0],
    signal: AbortSignal,
  ): Promise<string> {
    for (let tries = 1; ; tries += 1) {
      try {
        return (await transcribe(file, deadline(signal, this.deps.times.transcriptionMs))).trim();
      } catch (error) {
        const isLasting = PortError.is(error) && !error.retryable;
        if (isOver(signal) || isLasting || tries >= transcriptionTries) throw error;
        await sleep(this.deps.times.transcriptionPauseMs, undefined, { signal, ref: false });
      }
    }
  }

  private tell({ account, chat, key, conversationId }: FileOfTurn, what: string, text: string): Promise<void> {
    const to = { platform: account.id, chat: chat.id, ...(chat.thread === undefined ? {} : { thread: chat.thread }) };
    return this.deps.outbox.enqueue({ key: replyKeyOf(account.id, key, what), to, text, conversationId });
  }
}

function attachmentBlobId(conversationId: string, id: string): string {
  return `${conversationId}/in/${id}`;
}

function attachmentLine({ file }: FileOfTurn, id: string, sizeBytes: number, unheard: boolean): string {
  const how = `save_attachment "${id}" puts it where commands run`;
  const note = file.kind === 'voice' && unheard ? `could not be transcribed; ${how}` : how;
  return describeFile(file, { sizeBytes, note });
}

function quoted(text: string): string {
  return text.replace(/^/gm, '> ');
}

function isOfStore(error: unknown): boolean {
  return PortError.is(error) && error.code.startsWith('Storage.');
}
