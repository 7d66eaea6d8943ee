import { PortError } from '../../../lib/port-error.ts';
import type { PlatformAccount, PlatformConnection } from '../platform.ts';
import { createApi, sdkLogger } from './api.ts';
import type { SlackSettings } from './descriptor.ts';
import { fetchFile } from './fetch-file.ts';
import { createOutbound } from './outbound.ts';
import { Receiver } from './receiver.ts';
import { SlackSocket } from './socket.ts';
import { createSignatureCheck } from './webhook.ts';

type Account = PlatformAccount<SlackSettings>;

/** @throws PortError Config.Invalid when the settings of the mode are missing. */
export function openSlack(account: Account): PlatformConnection {
  const { settings, log } = account;
  const botToken = required(settings.botToken, 'botToken', account);
  const secrets = [botToken, settings.appToken, settings.signingSecret].filter((secret) => secret !== null);
  const logger = sdkLogger(log, secrets);
  const apiUrl = settings.apiUrl.endsWith('/') ? settings.apiUrl : `${settings.apiUrl}/`;
  const api = createApi({ apiUrl, token: botToken, logger });
  const receiver = new Receiver(account, api);
  const outbound = createOutbound(api);
  const fetching = { api, apiUrl, token: botToken };
  const common = {
    outbound,
    fetchFile: (reference, signal) => fetchFile(fetching, reference, signal),
    close: () => receiver.close(),
  } satisfies Partial<PlatformConnection>;

  if (settings.mode === 'http') {
    const check = createSignatureCheck(required(settings.signingSecret, 'signingSecret', account));
    return {
      ...common,
      run: (inbox, signal) => receiver.runBehindWebhook(inbox, signal),
      probe: async () => {
        await api.call('auth.test', {}, { repeating: 'nothing', limitMs: 9_000 });
      },
      identify: () => receiver.identify(),
      webhook: (request, inbox) => receiver.webhook(request, inbox, check),
    };
  }
  const appToken = required(settings.appToken, 'appToken', account);
  const socket = new SlackSocket({ appToken, apiUrl, logger, log });
  const appApi = createApi({ apiUrl, token: appToken, logger });
  return {
    ...common,
    run: (inbox, signal) => receiver.runOverSocket(socket, inbox, signal),
    probe: () => socket.probe(),
    identify: async () => {
      const identity = await receiver.identify();
      // Proves the other token; an address nobody connects to lapses.
      await appApi.call('apps.connections.open', {}, { repeating: 'nothing' });
      return identity;
    },
  };
}

function required(value: string | null, name: keyof SlackSettings, { id, settings }: Account): string {
  if (value !== null && value !== '') return value;
  throw new PortError('Config.Invalid', `gateway.${id}.${name} is not set; mode ${settings.mode} needs it`);
}
