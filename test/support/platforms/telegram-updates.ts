import type { ServerResponse } from 'node:http';
import { ApiError } from './telegram-api-error.ts';
import type { Fields } from './telegram-chats.ts';

interface Queued {
  readonly id: number;
  readonly update: unknown;
  /** Delivered once whatever the offset: a repeat, or something without an id. */
  readonly loose: boolean;
}

/** What waits to be received. An update goes when a later offset is asked for, not when it was handed out. */
export class TelegramUpdates {
  private queue: Queued[] = [];
  private nextId = 1_000;
  private last: Queued | null = null;
  private swap: 'next' | Queued | null = null;
  private poller: { end(error: ApiError | null): void; look(): void } | null = null;
  private intrusions = 0;
  askedOffset: number | null = null;

  add(update: Readonly<Record<string, unknown>>): void {
    const id = this.nextId++;
    const queued = { id, update: { update_id: id, ...update }, loose: false };
    this.last = queued;
    if (this.swap === 'next') {
      this.swap = queued;
      return;
    }
    this.queue.push(queued);
    if (this.swap !== null) this.queue.push(this.swap);
    this.swap = null;
    this.poller?.look();
  }

  /** Anything; an object still gets an id of its own, since the platform gives those. */
  addRaw(payload: unknown): void {
    const isObject = typeof payload === 'object' && payload !== null && !Array.isArray(payload);
    if (isObject && 'update_id' in payload) {
      const id = this.nextId++;
      this.queue.push({ id, update: { ...payload, update_id: id }, loose: false });
    } else this.queue.push({ id: 0, update: payload, loose: true });
    this.poller?.look();
  }

  repeatLast(): void {
    if (this.last === null) return;
    this.queue.push({ ...this.last, loose: true });
    this.poller?.look();
  }

  swapNext(): void {
    this.swap = 'next';
  }

  intrude(times: number): void {
    this.intrusions = times;
    this.poller?.look();
  }

  waiting(): number {
    return this.queue.length;
  }

  release(): void {
    this.poller?.end(null);
  }

  /** @returns what is there, at the latest when the long poll ends. */
  async poll(fields: Fields, response: ServerResponse): Promise<readonly unknown[]> {
    const offset = Number(fields['offset'] ?? 0);
    this.askedOffset = fields['offset'] === undefined ? null : offset;
    const allowed = fields['allowed_updates'];
    this.poller?.end(conflict());
    this.queue = this.queue.filter(({ id, loose }) => loose || id >= offset);
    if (Array.isArray(allowed)) this.queue = this.queue.filter(({ update }) => isAllowed(update, allowed));
    await new Promise<void>((resolve, reject) => {
      const one = {
        end: (error: ApiError | null) => {
          clearTimeout(timer);
          if (this.poller === one) this.poller = null;
          if (error === null) resolve();
          else reject(error);
        },
        look: () => {
          if (this.intrusions > 0) {
            this.intrusions -= 1;
            one.end(conflict());
          } else if (this.queue.length > 0) one.end(null);
        },
      };
      const timer = setTimeout(() => one.end(null), Number(fields['timeout'] ?? 0) * 1_000);
      // Who has hung up is handed nothing.
      response.once('close', () => one.end(null));
      this.poller = one;
      one.look();
    });
    if (response.destroyed) return [];
    const batch = this.queue.slice(0, Number(fields['limit'] ?? 100));
    this.queue = this.queue.filter((queued) => !(queued.loose && batch.includes(queued)));
    return batch.map(({ update }) => update);
  }
}

function isAllowed(update: unknown, allowed: readonly unknown[]): boolean {
  if (typeof update !== 'object' || update === null) return true;
  const known = ['message', 'edited_message', 'callback_query', 'my_chat_member'];
  const kind = known.find((name) => name in update);
  return kind === undefined || allowed.includes(kind);
}

function conflict(): ApiError {
  return new ApiError(
    409,
    'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running',
  );
}
