import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonValue } from '../../../contracts/json.ts';
import { PortError } from '../../../lib/port-error.ts';
import { fields, list, name, parsed, words } from '../json-fields.ts';
import type { PlatformAccount, PlatformConnection, PlatformInbox } from '../platform.ts';
import { SignalDaemon } from './daemon.ts';
import type { SignalSettings } from './descriptor.ts';
import type { StreamedEvent } from './event-stream.ts';
import { signalOutbound } from './outbound.ts';
import { readEvent, type SignalSelf } from './read-event.ts';

const fetchMs = 120_000;
const longestPauseMs = 15_000;

/** One account of a signal-cli daemon. */
export function openSignal(account: PlatformAccount<SignalSettings>): Promise<PlatformConnection> {
  return Promise.resolve().then(() => new SignalConnection(account));
}

class SignalConnection implements PlatformConnection {
  readonly outbound: PlatformConnection['outbound'];
  private readonly daemon: SignalDaemon;
  private readonly number: string;
  private readonly account: PlatformAccount<SignalSettings>;
  private readonly closing = new AbortController();

  constructor(account: PlatformAccount<SignalSettings>) {
    const { url, account: number } = account.settings;
    if (number === null || number === '') {
      throw new PortError('Config.Invalid', 'gateway.signal.account is not set.');
    }
    this.account = account;
    this.number = number;
    this.daemon = new SignalDaemon(url, number);
    this.outbound = signalOutbound(this.daemon, number);
  }

  async run(inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, this.closing.signal]);
    let pauseMs = 250;
    inbox.state('connecting');
    while (!isOver(over)) {
      try {
        await this.receive(inbox, over, () => {
          pauseMs = 250;
          inbox.state('connected');
        });
      } catch (error) {
        if (isOver(over)) return;
        if (PortError.is(error) && !error.retryable) throw error;
        inbox.state('waiting', PortError.is(error) ? error.message : 'the connection was lost');
        await pause(pauseMs, over);
        pauseMs = Math.min(longestPauseMs, pauseMs * 2);
      }
    }
  }

  async probe(): Promise<void> {
    await this.daemon.check();
  }

  identify(): Promise<{ readonly id: string; readonly name: string }> {
    return this.askWho(this.closing.signal);
  }

  private async askWho(signal: AbortSignal): Promise<{ readonly id: string; readonly name: string }> {
    const users = await this.daemon.call('getUserStatus', { recipient: [this.number] }, { signal, repeatable: true });
    const [user] = list(users).map(fields);
    if (user?.['isRegistered'] === false) {
      throw new PortError(
        'Platform.Authentication',
        'Signal does not know this number: register or link it with signal-cli.',
      );
    }
    return { id: name(user?.['uuid']) ?? this.number, name: this.number };
  }

  async fetchFile(
    reference: JsonValue,
    signal: AbortSignal,
  ): Promise<{ readonly stream: Readable; readonly sizeBytes: number | null }> {
    const { id, recipient, groupId } = fields(reference);
    const owner = groupId === undefined ? { recipient } : { groupId };
    const result = await this.daemon.call(
      'getAttachment',
      { id, ...owner },
      { signal, limitMs: fetchMs, repeatable: true },
    );
    const data = fields(result)['data'];
    if (typeof data !== 'string')
      throw new PortError('Platform.MessageRejected', 'signal-cli no longer has this file.');
    const bytes = Buffer.from(data, 'base64');
    return { stream: Readable.from([bytes]), sizeBytes: bytes.length };
  }

  close(): Promise<void> {
    this.closing.abort();
    return Promise.resolve();
  }

  private async receive(inbox: PlatformInbox, signal: AbortSignal, opened: () => void): Promise<void> {
    const self = await this.self(inbox, signal);
    await this.daemon.events({
      after: (await inbox.load('lastEventId')) ?? 'none',
      signal,
      opened,
      take: (event) => this.take(event, self, inbox, signal),
    });
  }

  private async take(event: StreamedEvent, self: SignalSelf, inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    const read = readEvent(parsed(event.data), self);
    if (PortError.is(read)) {
      this.account.log.warn({ account: this.account.id, code: read.code }, read.message);
    } else if (read !== null) {
      await this.keep(() => inbox.accept(read), inbox, signal);
      const { id } = event;
      if (id !== null) await this.keep(() => inbox.save({ lastEventId: id }), inbox, signal);
    }
  }

  /** Most daemons send an event once, so it is held until it has been kept. */
  private async keep(write: () => Promise<void>, inbox: PlatformInbox, signal: AbortSignal): Promise<void> {
    for (let pauseMs = 50, failed = false; ; pauseMs = Math.min(5_000, pauseMs * 2)) {
      try {
        await write();
        if (failed) inbox.state('connected');
        return;
      } catch (error) {
        if (isOver(signal)) throw error;
        failed = true;
        inbox.state('waiting', 'what arrives cannot be stored');
        await pause(pauseMs, signal);
      }
    }
  }

  /** Mentions and quotes name the account by its id; it never changes, so it is asked once. */
  private async self(inbox: PlatformInbox, signal: AbortSignal): Promise<SignalSelf> {
    const { noteToSelf } = this.account.settings;
    const known = words(await inbox.load('uuid'));
    if (known !== null) return { account: this.number, uuid: known, noteToSelf };
    try {
      const { id } = await this.askWho(signal);
      if (id !== this.number) await inbox.save({ uuid: id });
      return { account: this.number, uuid: id, noteToSelf };
    } catch (error) {
      if (PortError.is(error) && error.code === 'Platform.Authentication') throw error;
      // Messages matter more: without the id groups are answered on mention by number only, until the next connection.
      this.account.log.warn({ account: this.account.id }, 'signal-cli does not say which id the account has');
      return { account: this.number, uuid: null, noteToSelf };
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Asked anew each time: it changes while something is waited for. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
