import { setTimeout as sleep } from 'node:timers/promises';
import {
  WebSocketManager,
  WebSocketShardEvents,
  type IIdentifyThrottler,
  type OptionalWebSocketManagerOptions,
  type RequiredWebSocketManagerOptions,
  type SessionInfo,
} from '@discordjs/ws';
import { GatewayIntentBits, GatewayOpcodes } from 'discord-api-types/v10';
import { PortError } from '../../../lib/port-error.ts';
import { portErrorOf } from './errors.ts';
import type { DiscordApi } from './api.ts';

/** Guilds, messages in them and in direct chats, and what the messages say. */
const intents = [
  GatewayIntentBits.Guilds,
  GatewayIntentBits.GuildMessages,
  GatewayIntentBits.DirectMessages,
  GatewayIntentBits.MessageContent,
].reduce((all, one) => all | one);
/** Ends the socket and keeps the session: 1000 would end both. */
const keepSession = 4200;

/** Closes after which the session is of no use; after any other it is worth a try. */
const sessionLost: ReadonlySet<number> = new Set([4003, 4005, 4007]);

/** What to do about the codes with which Discord closes for good. */
const hopeless: Readonly<Record<number, string>> = {
  4004: 'Discord refuses the token: reset it on the page "Bot" of the developer portal and set gateway.discord.token.',
  4010: 'Discord takes the connection for a wrong shard.',
  4011: 'The bot is in more servers than one connection may serve (2,500): take it out of some.',
  4012: 'Discord no longer speaks the version of the gateway that this program uses: update it.',
  4013: 'Discord does not know an intent that this program asks for: update it.',
  4014: 'Discord refuses the intents: switch on "Message Content Intent" on the page "Bot" of the developer portal.',
};

export interface LinkOptions {
  readonly api: DiscordApi;
  readonly token: string;
  /** In place of the address that Discord names; null: that one. */
  readonly address: string | null;
  readonly session: {
    /** To resume; its sequence is the last event that needs no repeat. */
    get(): SessionInfo | null;
    begin(session: SessionInfo): void;
    lose(): void;
  };
  readonly on: {
    connected(): void;
    closed(code: number): void;
    dispatch(payload: unknown): void;
  };
}

/**
 * One gateway connection of discord.js, which resumes by itself until it is stopped. The session is kept outside of it,
 * and lost only when Discord says so: discord.js itself would give it up whenever the network is away for a moment.
 */
export class GatewayLink {
  /** Fulfilled with the reason when Discord closed for good. */
  readonly ended: Promise<PortError>;
  private readonly manager: WebSocketManager;
  private readonly options: LinkOptions;
  private stopped = false;
  /** Whether the socket of now has spoken. */
  private open = false;
  /** The code of the last close, until the next socket. */
  private closedWith: number | null = null;

  constructor(options: LinkOptions) {
    this.options = options;
    const { api, token, address, session } = options;
    this.manager = new AddressedManager(
      {
        token,
        intents,
        rest: api.rest,
        shardCount: 1,
        shardIds: [0],
        buildIdentifyThrottler: () => new GrowingPause(),
        retrieveSessionInfo: () => (this.stopped ? never() : this.retrieve()),
        updateSessionInfo: (_shard, info) => {
          if (this.stopped) return;
          if (info === null) {
            const { closedWith } = this;
            // While the socket is open it is Discord that says so; when the network failed nobody did.
            if (closedWith === null ? this.open : sessionLost.has(closedWith)) session.lose();
          } else if (info.sessionId !== session.get()?.sessionId) session.begin(info);
        },
      },
      address,
    );
    this.ended = this.listen();
  }

  /** Resolves when the connection is on its way; it goes on by itself. @throws PortError when the REST API refuses. */
  async start(): Promise<void> {
    let limit;
    try {
      limit = (await this.manager.fetchGatewayInformation()).session_start_limit;
    } catch (error) {
      throw portErrorOf(error, 'repeatable');
    }
    if (limit.remaining < 1 && this.options.session.get() === null) {
      throw new PortError('Platform.RateLimited', 'Discord lets the bot begin no further session today.', {
        retryAfterMs: limit.reset_after,
      });
    }
    // Settles with the first connection, or with a failure after which discord.js tries again all the same.
    void this.manager.connect().catch(() => undefined);
  }

  /** Asks for an answer over the socket. @throws PortError Platform.Unavailable without one. */
  async probe(limitMs: number): Promise<void> {
    if (!this.open || this.stopped) throw new PortError('Platform.Unavailable', 'Discord is not connected.');
    const { manager } = this;
    let answered: () => void = () => undefined;
    const heard = new Promise<void>((resolve) => (answered = resolve));
    const giveUp = new AbortController();
    manager.once(WebSocketShardEvents.HeartbeatComplete, answered);
    try {
      await manager.send(0, { op: GatewayOpcodes.Heartbeat, d: this.options.session.get()?.sequence ?? null });
      const late = sleep(limitMs, 'late', { signal: giveUp.signal, ref: false }).catch(() => undefined);
      if ((await Promise.race([heard, late])) === 'late') throw new Error('no answer');
    } catch {
      throw new PortError('Platform.Unavailable', 'Discord does not answer over the gateway connection.');
    } finally {
      giveUp.abort();
      manager.off(WebSocketShardEvents.HeartbeatComplete, answered);
    }
  }

  /** Lets go of the socket, not of the session. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    const closed = Promise.resolve(this.manager.destroy({ code: keepSession, reason: 'The gateway stops' }));
    // A wedged connection does not answer the goodbye either.
    await Promise.race([closed.catch(() => undefined), sleep(1_000, undefined, { ref: false })]);
  }

  private retrieve(): SessionInfo | null {
    if (this.closedWith !== null) {
      this.closedWith = null;
      this.open = false;
    }
    const session = this.options.session.get();
    const { address } = this.options;
    return session === null || address === null ? session : { ...session, resumeURL: address };
  }

  private listen(): Promise<PortError> {
    const { manager } = this;
    const { on } = this.options;
    const unlessStopped =
      <T extends unknown[]>(work: (...args: T) => void) =>
      (...args: T): void => {
        if (!this.stopped) work(...args);
      };
    manager.on(
      WebSocketShardEvents.Hello,
      unlessStopped(() => {
        this.open = true;
      }),
    );
    manager.on(
      WebSocketShardEvents.Ready,
      unlessStopped(() => on.connected()),
    );
    manager.on(
      WebSocketShardEvents.Resumed,
      unlessStopped(() => on.connected()),
    );
    manager.on(
      WebSocketShardEvents.Dispatch,
      unlessStopped(({ data }: { data: unknown }) => on.dispatch(data)),
    );
    // Said by the close that follows; without a listener it would end the process.
    manager.on(WebSocketShardEvents.Error, () => undefined);
    return new Promise((resolve) => {
      manager.on(
        WebSocketShardEvents.Closed,
        unlessStopped(({ code }: { code: number }) => {
          this.closedWith = code;
          this.open = false;
          const why = hopeless[code];
          if (why === undefined) on.closed(code);
          else resolve(new PortError('Platform.Authentication', `${why} (${code})`, { details: { code } }));
        }),
      );
    });
  }
}

/** Connects to a given address in place of the one Discord names. */
class AddressedManager extends WebSocketManager {
  private readonly address: string | null;

  constructor(
    options: Partial<OptionalWebSocketManagerOptions> & RequiredWebSocketManagerOptions,
    address: string | null,
  ) {
    super(options);
    this.address = address;
  }

  override async fetchGatewayInformation(force?: boolean) {
    const information = await super.fetchGatewayInformation(force);
    return this.address === null ? information : { ...information, url: this.address };
  }
}

/** Sessions are few (1,000 a day): the more begin one after another, the longer the next one waits. */
class GrowingPause implements IIdentifyThrottler {
  private lastAt = 0;
  private pauseMs = 5_000;

  async waitForIdentify(_shard: number, signal: AbortSignal): Promise<void> {
    const sinceMs = Date.now() - this.lastAt;
    if (sinceMs > 10 * 60_000) this.pauseMs = 5_000;
    else {
      const pauseMs = this.pauseMs - sinceMs;
      this.pauseMs = Math.min(this.pauseMs * 2, 5 * 60_000);
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal, ref: false });
    }
    this.lastAt = Date.now();
  }
}

/** discord.js connects again after it was told to stop in the midst of a connection; here it waits for ever instead. */
function never(): Promise<SessionInfo | null> {
  return new Promise(() => undefined);
}
