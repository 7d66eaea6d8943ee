import { Readable } from 'node:stream';
import { PortError } from '../../../lib/port-error.ts';
import type { JsonValue } from '../../../contracts/json.ts';
import type { PlatformAccount, PlatformConnection } from '../platform.ts';
import { fields, words } from '../json-fields.ts';
import { createApi, segment, type DiscordApi } from './api.ts';
import type { DiscordSettings } from './descriptor.ts';
import { portErrorOf } from './errors.ts';
import { Interactions } from './interactions.ts';
import { sendBytes } from './limits.ts';
import { createOutbound } from './outbound.ts';
import { attachmentUrl, fileReference } from './read-files.ts';
import { Receiver } from './receiver.ts';

/** One bot on Discord. @throws PortError Config.Invalid without a token. */
export function openDiscord({ settings, log }: PlatformAccount<DiscordSettings>): PlatformConnection {
  // A token pasted from code comes with what the header puts before it.
  const token = (settings.token ?? '').trim().replace(/^Bot\s+/i, '');
  if (!/^[\w.-]+$/.test(token)) {
    throw new PortError('Config.Invalid', 'gateway.discord.token is no token of a Discord bot.');
  }
  const api = createApi(token, settings.apiUrl);
  const interactions = new Interactions(api, log);
  const identify = async () => {
    const user = fields(await api.call({ method: 'Get', path: '/users/@me' }));
    const id = words(user['id']);
    if (id === null) throw new PortError('Platform.Unavailable', 'Discord did not say who the bot is.');
    return { id, name: words(user['global_name']) ?? words(user['username']) ?? id };
  };
  const receiver = new Receiver({
    api,
    token,
    gatewayUrl: settings.gatewayUrl,
    interactions,
    log,
    me: async () => (await identify()).id,
  });
  const closing = new AbortController();
  return {
    outbound: createOutbound(api, interactions, sendBytes),
    run: (inbox, signal) => receiver.run(inbox, AbortSignal.any([signal, closing.signal])),
    probe: () => receiver.probe(),
    identify,
    fetchFile: (reference, signal) => fetchFile(api, reference, signal),
    close: () => {
      closing.abort();
      api.close();
      return Promise.resolve();
    },
  };
}

async function fetchFile(api: DiscordApi, reference: JsonValue, signal: AbortSignal) {
  const at = fileReference(reference);
  if (at === null) throw new PortError('Platform.MessageRejected', 'This names no file on Discord.');
  const path = `/channels/${segment(at.channel)}/messages/${segment(at.message)}` as const;
  const url = attachmentUrl(await api.call({ method: 'Get', path, signal }), at.attachment);
  if (url === null) throw new PortError('Platform.MessageRejected', 'Discord does not have the file any more.');
  let answer;
  try {
    answer = await fetch(url, { signal });
  } catch (error) {
    throw portErrorOf(error, 'repeatable');
  }
  if (!answer.ok || answer.body === null) {
    await answer.body?.cancel();
    const code = answer.status >= 500 || answer.status === 429 ? 'Platform.Unavailable' : 'Platform.MessageRejected';
    throw new PortError(code, `Discord does not give the file (${answer.status}).`);
  }
  const size = Number(answer.headers.get('content-length') ?? Number.NaN);
  return {
    stream: Readable.fromWeb(answer.body),
    sizeBytes: Number.isSafeInteger(size) ? size : null,
  };
}
