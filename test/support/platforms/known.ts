import type { PlatformDescriptor, WebhookRequest, WebhookResponse } from '../../../src/gateway/platforms/platform.ts';
import { platformOf } from '../../../src/gateway/platforms/registry.ts';
import { DiscordServer } from './discord-server.ts';
import type { PlatformServer, TestChat, TestPerson } from './platform-server.ts';
import { createSignalServer } from './signal-server.ts';
import { SlackServer } from './slack-server.ts';
import { TelegramServer } from './telegram-server.ts';
import { createWhatsAppServer } from './whatsapp-server.ts';
import { createWhatsAppWebServer } from './whatsapp-web-server.ts';

/** A platform on loopback with any number of people, each alone with the agent. */
export interface KnownPlatform {
  readonly id: string;
  readonly descriptor: PlatformDescriptor;
  readonly server: PlatformServer;
  person(index: number): TestPerson;
  /** Their direct chat. */
  direct(index: number): TestChat;
  /** What only this platform needs once the service answers at `apiUrl`: its calls go there. */
  connect?(apiUrl: string): void;
  /** What the account shows to be scanned. */
  scan?(shown: string): void;
}

type Names = Pick<KnownPlatform, 'person' | 'direct'>;

const makers = {
  telegram: () => ({ server: new TelegramServer(), ...byId((index) => String(1_001 + index)) }),
  discord: () => ({
    server: new DiscordServer(),
    person: (index: number) => ({ id: String(300_000_000_000_000_001n + BigInt(index)), name: nameOf(index) }),
    direct: (index: number) => direct(String(400_000_000_000_000_001n + BigInt(index))),
  }),
  slack: () => ({
    server: new SlackServer(),
    person: (index: number) => ({ id: `UPERSON${padded(index)}`, name: nameOf(index) }),
    direct: (index: number) => direct(`DPERSON${padded(index)}`),
  }),
  signal: () => ({
    server: createSignalServer(),
    ...byId((index) => `a11ce000-0000-4000-8000-00000000${padded(index)}`),
  }),
  whatsapp: () => {
    const server = createWhatsAppServer();
    const connect = (apiUrl: string): void => server.webhook?.((request) => forward(apiUrl, request));
    return { server, connect, ...byId((index) => String(4_915_150_000_002 + index)) };
  },
  whatsapp_web: () => {
    const server = createWhatsAppWebServer();
    const scan = (shown: string): void => server.phoneSees(shown);
    return { server, scan, ...byId((index) => String(4_915_550_001 + index)) };
  },
} satisfies Readonly<Record<string, () => Names & { readonly server: PlatformServer }>>;

export type KnownId = keyof typeof makers;
export const knownIds = Object.keys(makers) as readonly KnownId[];

/** A new one, not started. */
export function knownPlatform(id: KnownId): KnownPlatform {
  const descriptor = platformOf(id);
  if (descriptor === undefined) throw new Error(`there is no platform ${id}`);
  return { id, descriptor, ...makers[id]() };
}

function byId(idOf: (index: number) => string): Names {
  return {
    person: (index) => ({ id: idOf(index), name: nameOf(index) }),
    direct: (index) => direct(idOf(index)),
  };
}

function direct(id: string): TestChat {
  return { id, kind: 'direct' };
}

function nameOf(index: number): string {
  return `Person ${String(index)}`;
}

function padded(index: number): string {
  return String(index + 1).padStart(4, '0');
}

async function forward(apiUrl: string, request: WebhookRequest): Promise<WebhookResponse> {
  const query = new URLSearchParams(request.query).toString();
  const answer = await fetch(`${apiUrl}/webhooks/whatsapp${query === '' ? '' : `?${query}`}`, {
    method: request.method,
    headers: { ...request.headers },
    ...(request.method === 'GET' ? {} : { body: new Uint8Array(request.body) }),
  });
  return { status: answer.status, body: await answer.text() };
}
