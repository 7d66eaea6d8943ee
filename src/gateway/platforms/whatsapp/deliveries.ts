import { list, parsed } from '../json-fields.ts';
import type { PlatformInbox } from '../platform.ts';
import type { DeliveryStatus } from './read-webhook.ts';

/** Statuses of the latest sends are kept, so that an ambiguous one can be looked up after a restart too. */
const mostKept = 200;
const mostSettled = 2_000;

type Entry = readonly [callbackData: string, messageId: string, state: DeliveryStatus['state']];

/** What WhatsApp has said became of deliveries whose answer was lost. */
export class Deliveries {
  private readonly settled = new Set<string>();
  private writing: Promise<void> = Promise.resolve();

  /** The answer to a send came: nobody will ask for it. */
  settle(callbackData: string): void {
    this.settled.add(callbackData);
    const [oldest] = this.settled;
    if (this.settled.size > mostSettled && oldest !== undefined) this.settled.delete(oldest);
  }

  /** Durable once it resolves. Idempotent. */
  keep(statuses: readonly DeliveryStatus[], inbox: PlatformInbox): Promise<void> {
    const news = statuses.flatMap(({ callbackData, messageId, state }) =>
      callbackData === null || this.settled.has(callbackData) ? [] : [[callbackData, messageId, state] as const],
    );
    if (news.length === 0) return Promise.resolve();
    // One after another: each reads what the one before has written.
    const work = this.writing.then(() => this.write(news, inbox));
    this.writing = work.catch(() => undefined);
    return work;
  }

  async find(callbackData: string, inbox: PlatformInbox): Promise<Pick<DeliveryStatus, 'messageId' | 'state'> | null> {
    await this.writing;
    const found = (await read(inbox)).findLast(([data]) => data === callbackData);
    return found === undefined ? null : { messageId: found[1], state: found[2] };
  }

  private async write(news: readonly Entry[], inbox: PlatformInbox): Promise<void> {
    const known = await read(inbox);
    const added = news.filter((one) => !known.some((other) => one.every((value, at) => value === other[at])));
    if (added.length === 0) return;
    await inbox.save({ deliveries: JSON.stringify([...known, ...added].slice(-mostKept)) });
  }
}

async function read(inbox: PlatformInbox): Promise<readonly Entry[]> {
  return list(parsed((await inbox.load('deliveries')) ?? '[]')) as readonly Entry[];
}
