import { fields, list, name, whole, type Fields } from '../json-fields.ts';
import { PortError } from '../../../lib/port-error.ts';
import { segment, type DiscordApi } from './api.ts';
import { dispatchOf, isThread, knownChannel, type KnownChannel } from './read-event.ts';

const most = 20_000;

/**
 * What channels there are: which ones are threads, and of what, which messages do not say. Learnt from what the gateway
 * tells, and asked for where it did not (after a resume it tells nothing).
 */
export class Channels {
  private readonly api: DiscordApi;
  private readonly known = new Map<string, KnownChannel>();

  constructor(api: DiscordApi) {
    this.api = api;
  }

  get(id: string): KnownChannel | undefined {
    return this.known.get(id);
  }

  /** Takes in what a payload tells. */
  learn(payload: unknown): void {
    const dispatch = dispatchOf(payload);
    if (dispatch === null) return;
    const { type, data } = dispatch;
    if (type === 'GUILD_CREATE' || type === 'THREAD_LIST_SYNC') {
      for (const channel of [...list(data['channels']), ...list(data['threads'])]) this.put(fields(channel));
    } else if (/^(CHANNEL|THREAD)_(CREATE|UPDATE)$/.test(type)) this.put(data);
    else if (type === 'INTERACTION_CREATE') this.put(fields(data['channel']));
  }

  /** Asks for the channel of a message in a server, unless it is known. @throws PortError when it cannot be asked. */
  async resolve(payload: unknown, signal: AbortSignal): Promise<void> {
    const dispatch = dispatchOf(payload);
    if (dispatch === null || !/^(MESSAGE|INTERACTION)_/.test(dispatch.type)) return;
    const { data } = dispatch;
    const id = name(data['channel_id']);
    if (id === null || this.known.has(id) || name(data['guild_id']) === null) return;
    // What is new over the gateway says at least that it is no thread; what was read up does not.
    if (whole(data['channel_type']) !== null && !isThread(data['channel_type'])) return;
    try {
      const path = `/channels/${segment(id)}` as const;
      this.put({ ...fields(await this.api.call({ method: 'Get', path, signal })), id });
    } catch (error) {
      if (PortError.is(error) && error.retryable) throw error;
      // It is not shown to the bot; what is said there is taken as said in a channel.
      this.put({ id });
    }
  }

  private put(channel: Fields): void {
    const id = name(channel['id']);
    if (id === null) return;
    if (this.known.size >= most) this.known.clear();
    this.known.set(id, knownChannel(channel));
  }
}
