import { PortError } from '../../../lib/port-error.ts';
import type { PlatformEvent, PlatformLog } from '../platform.ts';
import { fields, words } from '../json-fields.ts';
import { segment, type DiscordApi } from './api.ts';
import { dispatchOf } from './read-event.ts';

const most = 1_000;
const onlyForThem = 64;
const messageNow = 4;
const updateLater = 6;

/**
 * Answers commands and presses of buttons: within three seconds, by the token each one carries for fifteen minutes. The
 * tokens are kept in memory only; what was pressed before a restart has been acknowledged without words.
 */
export class Interactions {
  private readonly api: DiscordApi;
  private readonly log: PlatformLog;
  private readonly open = new Map<string, { readonly application: string; readonly token: string }>();

  constructor(api: DiscordApi, log: PlatformLog) {
    this.api = api;
    this.log = log;
  }

  /** Tells the person's client that the interaction was accepted. Losing that is harmless: the event is kept. */
  async heard(payload: unknown, event: PlatformEvent): Promise<void> {
    const dispatch = dispatchOf(payload);
    if (dispatch?.type !== 'INTERACTION_CREATE') return;
    const { data } = dispatch;
    const [id, token, application] = [words(data['id']), words(data['token']), words(data['application_id'])];
    if (id === null || token === null || application === null) return;
    this.open.set(event.key, { application, token });
    for (const [oldest] of this.open) {
      if (this.open.size <= most) break;
      this.open.delete(oldest);
    }
    // What comes of a command follows as a message of its own, in its turn; this line only the person sees.
    const body =
      event.kind === 'command'
        ? { type: messageNow, data: { content: `\`/${commandLine(event)}\``, flags: onlyForThem } }
        : { type: updateLater };
    try {
      const path = `/interactions/${segment(id)}/${segment(token)}/callback` as const;
      await this.api.call({ method: 'Post', path, body, withoutToken: true });
    } catch (error) {
      // Also when it is a repeat, which Discord refuses.
      this.log.debug({ error: String(error) }, 'an interaction was not acknowledged');
    }
  }

  /** A line to the one who pressed; nothing where the press is too old for one. */
  async answer(key: string, text: string): Promise<void> {
    const open = this.open.get(key);
    if (open === undefined || text === '') return;
    await this.api.call({
      method: 'Post',
      path: `/webhooks/${segment(open.application)}/${segment(open.token)}`,
      body: { content: text.slice(0, 2000), flags: onlyForThem, allowed_mentions: { parse: [] } },
      withoutToken: true,
    });
  }
}

function commandLine(event: Extract<PlatformEvent, { kind: 'command' }>): string {
  return `${event.name} ${event.args}`.trim().replaceAll('`', "'").slice(0, 200);
}

/** The application's id; not the bot's in applications of the first years. */
export async function applicationId(api: DiscordApi): Promise<string> {
  const id = words(fields(await api.call({ method: 'Get', path: '/applications/@me' }))['id']);
  if (id === null) throw new PortError('Platform.Unavailable', 'Discord did not say which application the bot is of.');
  return id;
}
