import { setTimeout as sleep } from 'node:timers/promises';
import { percentile, residentMb } from '../../../bench/measure.ts';
import type { AccountView } from '../../../src/contracts/api-gateway.ts';
import { silenceSignal } from '../../../src/gateway/platforms/whatsapp_web/quiet.ts';
import { serviceEntry } from '../../../src/workers/supervise/entry.ts';
import { rowsOf } from '../conversation.ts';
import { Installation, until } from '../installation.ts';
import { drip, type ChatMessage, type RecordedRequest } from '../model-server.ts';
import { configured } from './configured.ts';
import { knownPlatform, type KnownId, type KnownPlatform } from './known.ts';
import type { TestChat, TestPerson } from './platform-server.ts';

/** Somebody alone with the agent on one platform. */
export interface Chatter {
  readonly platform: KnownPlatform;
  readonly person: TestPerson;
  readonly chat: TestChat;
  /** What they have written, oldest first: words that occur nowhere else. */
  readonly said: string[];
}

export interface CrowdOptions {
  readonly platforms: readonly KnownId[];
  /** People per platform. */
  readonly chats: number;
  /** Who writes when is the same for the same seed. */
  readonly seed: number;
}

/** How an installation full of people stands. */
export interface CrowdNumbers {
  readonly messages: number;
  readonly answers: number;
  /** Messages on their way to a chat. */
  readonly waiting: number;
  readonly ambiguous: number;
  readonly residentMb: number;
}

/** Quicker than this one after the other, messages become one turn. */
const burstPauseMs = 100;
const mostInBurst = 4;
/** Between the messages of a burst, and between bursts. */
const quick = { leastMs: 10, mostMs: 70 };
const pause = { leastMs: 2_000, mostMs: 6_000 };
/** Share of what an account may send per second that the people there ask for; the rest is for what goes wrong. */
const usedPace = 0.7;

const unfinished = {
  'events to process': `PlatformEvent WHERE state IN ('received', 'taken')`,
  'messages to take': `Inbound WHERE state <> 'taken'`,
  'turns that run': `Turn WHERE state = 'running'`,
  'messages to send': `Outbox WHERE state IN ('new', 'sending') OR open = 1`,
} as const;

/**
 * People on every platform at once who write in bursts, to one installation whose service is one process. The model
 * answers with the words it was asked, so that every answer tells whose it is.
 */
export class Crowd {
  readonly one: Installation;
  readonly platforms: readonly KnownPlatform[];
  readonly chatters: readonly Chatter[];
  private readonly random: () => number;
  private readonly samples: number[] = [];

  private constructor(one: Installation, platforms: readonly KnownPlatform[], { chats, seed }: CrowdOptions) {
    this.one = one;
    this.platforms = platforms;
    this.random = seeded(seed);
    this.chatters = platforms.flatMap((platform) =>
      Array.from({ length: chats }, (_, index) => ({
        platform,
        person: platform.person(index),
        chat: platform.direct(index),
        said: [],
      })),
    );
  }

  /** Resolves when every account is connected; nobody has said anything yet. */
  static async gather(options: CrowdOptions): Promise<Crowd> {
    // The people of WhatsApp Web use libsignal as well, which prints their sessions.
    silenceSignal();
    const platforms = options.platforms.map(knownPlatform);
    await Promise.all(platforms.map(({ server }) => server.start()));
    const accounts = platforms.map((platform) => {
      const allow = Array.from({ length: options.chats }, (_, index) => platform.person(index).id);
      return { ...platform, more: { allow } };
    });
    const one = await Installation.create({
      ...configured(accounts, { burstPauseMs }),
      // The limits of the real service: V8 fills whatever room it is given, and that would pass for growth.
      env: {
        NODE_OPTIONS: serviceEntry()
          .nodeArgs.filter((arg) => arg.startsWith('--max-'))
          .join(' '),
      },
    });
    const crowd = new Crowd(one, platforms, options);
    try {
      crowd.forgetRequests();
      await one.start('all');
      for (const platform of platforms) platform.connect?.(one.apiUrl);
      await crowd.connected();
      return crowd;
    } catch (error) {
      await crowd.leave();
      throw error;
    }
  }

  /** Everybody writes for so long. The memory of the service is looked at every second meanwhile. */
  async talk(forMs: number): Promise<void> {
    const endAt = Date.now() + forMs;
    const looking = setInterval(() => this.look(), 1_000);
    const forgetting = setInterval(() => this.forgetRequests(), 10_000);
    try {
      await Promise.all(this.chatters.map((chatter, index) => this.write(chatter, `c${String(index)}n`, endAt)));
    } finally {
      clearInterval(looking);
      clearInterval(forgetting);
    }
  }

  /** Resolves when everything written has been taken and every answer has left. */
  async drained(limitMs: number): Promise<void> {
    const endAt = Date.now() + limitMs;
    for (let left = this.underWay(); left.length > 0; left = this.underWay()) {
      if (Date.now() > endAt) throw new Error(`not drained: ${left.join(', ')}`);
      await sleep(250);
    }
    // What would come a second time has had the time to.
    await sleep(1_000);
  }

  /** SIGKILL of the service in whatever it does, and a new one. */
  async killService(): Promise<void> {
    await this.one.kill('all');
    await this.one.start('all');
    await this.connected();
  }

  /** Median megabytes of the service in the second and in the last quarter of the time everybody wrote. */
  memory(): { readonly early: number; readonly late: number } {
    const quarter = Math.floor(this.samples.length / 4);
    return {
      early: percentile(this.samples.slice(quarter, 2 * quarter), 0.5),
      late: percentile(this.samples.slice(-quarter), 0.5),
    };
  }

  numbers(): CrowdNumbers {
    const outbox = rowsOf(this.one, `SELECT state, count(*) AS count FROM Outbox WHERE kind <> 'live' GROUP BY state`);
    const of = (...states: readonly string[]): number =>
      outbox.reduce((sum, { state, count }) => sum + (states.includes(String(state)) ? Number(count) : 0), 0);
    return {
      messages: this.chatters.reduce((sum, { said }) => sum + said.length, 0),
      answers: of('sent'),
      waiting: of('new', 'sending'),
      ambiguous: of('ambiguous'),
      residentMb: this.samples.at(-1) ?? 0,
    };
  }

  /** Ends everything. Idempotent. */
  async leave(): Promise<void> {
    await this.one.dispose();
    await Promise.all(this.platforms.map(({ server }) => server.stop()));
  }

  private async write({ platform, chat, person, said }: Chatter, prefix: string, endAt: number): Promise<void> {
    const slow = this.slowdown(platform);
    // Not everybody at the same moment.
    await sleep(this.between({ leastMs: 0, mostMs: pause.mostMs * slow }));
    while (Date.now() < endAt) {
      const count = 1 + Math.floor(this.random() * mostInBurst);
      for (let index = 0; index < count; index += 1) {
        const word = `${prefix}${String(said.length + 1)}`;
        said.push(word);
        await platform.server.says({ chat, from: person, text: word });
        await sleep(this.between(quick));
      }
      await sleep(this.between(pause) * slow);
    }
  }

  /** Every burst wants an answer: people on a platform that lets through few of them write less often. */
  private slowdown({ id, descriptor }: KnownPlatform): number {
    const chats = this.chatters.filter(({ platform }) => platform.id === id).length;
    const neededMs = (chats * descriptor.capabilities.paceMs.account) / usedPace;
    return Math.max(1, neededMs / ((pause.leastMs + pause.mostMs) / 2));
  }

  private between({ leastMs, mostMs }: { readonly leastMs: number; readonly mostMs: number }): number {
    return leastMs + this.random() * (mostMs - leastMs);
  }

  private look(): void {
    try {
      this.samples.push(residentMb(this.one.pid('all')));
    } catch {
      // Killed just now; the next one is looked at.
    }
  }

  /** An hour of requests, each with a whole conversation in it, is more than this process should hold. */
  private forgetRequests(): void {
    this.one.model.reset();
    this.one.model.otherwise((request) => drip([answerTo(request)], 0));
  }

  /** What is not finished, and how much of it. */
  private underWay(): readonly string[] {
    const count = (from: string): number =>
      Number(rowsOf(this.one, `SELECT count(*) AS count FROM ${from}`)[0]?.['count']);
    const said = this.chatters.reduce((sum, chatter) => sum + chatter.said.length, 0);
    const counts = [
      ['messages to keep', said - count('PlatformEvent')] as const,
      ...Object.entries(unfinished).map(([what, from]) => [what, count(from)] as const),
    ];
    return counts.filter(([, left]) => left > 0).map(([what, left]) => `${String(left)} ${what}`);
  }

  private async connected(): Promise<void> {
    const scanned = new Set<string>();
    await until('every account is connected', async () => {
      const { body } = await this.one.request('GET', '/api/gateway/accounts');
      const { accounts } = body as { accounts: readonly AccountView[] };
      for (const { id, shown } of accounts) {
        if (shown === null || scanned.has(shown)) continue;
        scanned.add(shown);
        this.platforms.find((platform) => platform.id === id)?.scan?.(shown);
      }
      return accounts.length === this.platforms.length && accounts.every(({ state }) => state === 'connected');
    });
  }
}

/** The words nobody has answered yet, as one answer. */
function answerTo({ body }: RecordedRequest): string {
  const asked = body.messages.slice(body.messages.findLastIndex(({ role }) => role === 'assistant') + 1);
  return heard(asked.filter(({ role }) => role === 'user').flatMap((message) => wordsOf(textOf(message))));
}

/** The answer to these words, as every dialect writes it. */
export function heard(words: readonly string[]): string {
  return `heard ${words.join(' ')}`;
}

/** The words of the crowd in a text, in order. */
export function wordsOf(text: string): readonly string[] {
  return text.match(/\bc\d+n\d+\b/gu) ?? [];
}

function textOf({ content }: ChatMessage): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => part.text ?? '').join('\n');
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
