import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createEmulator } from 'emulate';
import { describe, expect, it } from 'vitest';
import { commonSettings } from '../../../src/gateway/platforms/common-settings.ts';
import type { PlatformConnection } from '../../../src/gateway/platforms/platform.ts';
import { slack } from '../../../src/gateway/platforms/slack/descriptor.ts';
import { PortError } from '../../../src/lib/port-error.ts';
import { SlackServer } from '../../support/platforms/slack-server.ts';

/** A place where the Web API is spoken, with a channel in which the account may write. */
interface Place {
  readonly connection: PlatformConnection;
  readonly channel: string;
  readonly call: (method: string, args: Record<string, string>) => Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

const places: readonly { readonly name: string; readonly open: () => Promise<Place> }[] = [
  { name: 'the server of these tests', open: openOwn },
  { name: 'an independent server', open: openOther },
];

async function openOwn(): Promise<Place> {
  const server = new SlackServer();
  await server.start();
  await server.says({
    chat: { id: 'C000000001', kind: 'group' },
    from: { id: 'UANNA0001', name: 'Anna' },
    text: 'hello',
  });
  const { apiUrl, botToken } = server.settings();
  return place({ apiUrl, token: botToken, channel: 'C000000001', close: () => server.stop() });
}

async function openOther(): Promise<Place> {
  const server = await createEmulator({ service: 'slack', port: await freePort() });
  const close = () => server.close();
  return place({ apiUrl: `${server.url}/api/`, token: 'test_token_admin', channel: 'C000000001', close });
}

/** A new one each time: connections kept alive to an earlier server would be dead ones. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function place(at: {
  readonly apiUrl: string;
  readonly token: string;
  readonly channel: string;
  readonly close: () => Promise<void>;
}): Promise<Place> {
  const { apiUrl, token, channel } = at;
  const silent = () => undefined;
  const defaults = Object.entries({ ...commonSettings, ...slack.settings }).map(([name, one]) => [
    name,
    'default' in one ? one.default : null,
  ]);
  const connection = await slack.open({
    id: 'slack',
    settings: { ...Object.fromEntries(defaults), botToken: token, appToken: 'xapp-unused', apiUrl } as never,
    log: { debug: silent, info: silent, warn: silent },
  });
  return {
    connection,
    channel,
    call: async (method, args) => {
      const response = await fetch(`${apiUrl}${method}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: new URLSearchParams(args),
      });
      return (await response.json()) as Record<string, unknown>;
    },
    close: async () => {
      await connection.close();
      await at.close();
    },
  };
}

let keys = 0;
const options = (key = `opinion/${process.pid}/${keys++}`) => ({ key, signal: AbortSignal.timeout(20_000) });

for (const { name, open } of places) {
  describe(`Slack's Web API as ${name} has it`, () => {
    const within = (what: string, fact: (place: Place) => Promise<void>) =>
      it(what, async () => {
        const place = await open();
        try {
          await fact(place);
        } finally {
          await place.close();
        }
      });
    const history = async ({ call, channel }: Place) =>
      (await call('conversations.history', { channel, include_all_metadata: 'true' }))['messages'] as Record<
        string,
        unknown
      >[];

    within('a text is shown under its id, with the key of its delivery', async (place) => {
      const given = options();
      const { outbound } = place.connection;
      const { messageId } = await outbound.sendText({ chat: place.channel }, { text: '*bold* &amp; all' }, given);
      const shown = (await history(place)).find(({ ts }) => ts === messageId);
      expect(shown).toMatchObject({
        text: '*bold* &amp; all',
        metadata: { event_type: 'hermes_delivery', event_payload: { delivery_key: given.key } },
      });
      const since = new Date(Date.now() - 60_000).toISOString();
      expect(await outbound.reconcile({ chat: place.channel }, given.key, since)).toEqual({ state: 'sent', messageId });
      expect(await outbound.reconcile({ chat: place.channel }, `${given.key}/no`, since)).toEqual({ state: 'absent' });
    });

    within('an answer in a thread is there and not in the channel, and is found there', async (place) => {
      const { outbound } = place.connection;
      const root = await outbound.sendText({ chat: place.channel }, { text: 'root' }, options());
      const to = { chat: place.channel, thread: root.messageId };
      const given = options();
      const { messageId } = await outbound.sendText(to, { text: 'below' }, given);
      expect((await history(place)).map(({ ts }) => ts)).not.toContain(messageId);
      const since = new Date(Date.now() - 60_000).toISOString();
      expect(await outbound.reconcile(to, given.key, since)).toEqual({ state: 'sent', messageId });
    });

    within('buttons come with a text and go with an edit', async (place) => {
      const { outbound } = place.connection;
      const buttons = [{ label: 'Yes', data: '0123456789abcdef:0', style: 'primary' as const }];
      const to = { chat: place.channel };
      const { messageId } = await outbound.sendText(to, { text: 'May it?', buttons }, options());
      const find = async () => (await history(place)).find(({ ts }) => ts === messageId);
      expect(JSON.stringify((await find())?.['blocks'])).toContain('0123456789abcdef:0');
      await outbound.edit(to, messageId, { text: 'It may.' }, options());
      await outbound.edit(to, messageId, { text: 'It may.' }, options());
      const after = await find();
      expect(after).toMatchObject({ text: 'It may.' });
      expect(after?.['blocks'] ?? []).toEqual([]);
    });

    within('a file is shown whole, and can be read again', async (place) => {
      const bytes = Buffer.from('a file of some words');
      const { connection, channel } = place;
      const { messageId } = await connection.outbound.sendFile(
        { chat: channel },
        {
          name: 'words.txt',
          mediaType: 'text/plain',
          kind: 'document',
          sizeBytes: bytes.length,
          caption: 'as asked',
          open: () => Promise.resolve(Readable.from([bytes])),
        },
        options(),
      );
      const shown = (await history(place)).find(({ ts }) => ts === messageId);
      const [file] = shown?.['files'] as Record<string, string>[];
      expect(file).toMatchObject({ name: 'words.txt' });
      const reference = { id: file?.['id'] ?? '', url: null };
      const { stream } = await connection.fetchFile(reference, AbortSignal.timeout(10_000));
      expect((await buffer(stream)).equals(bytes)).toBe(true);
    });

    within('a channel that is not there, and a message that is not there', async ({ connection, channel }) => {
      const codes = await Promise.all(
        [
          connection.outbound.sendText({ chat: 'C999999999' }, { text: 'x' }, options()),
          connection.outbound.edit({ chat: channel }, '1600000000.000100', { text: 'x' }, options()),
        ].map((work) =>
          work.then(
            () => 'fulfilled',
            (error: unknown) => (PortError.is(error) ? error.code : String(error)),
          ),
        ),
      );
      expect(codes).toEqual(['Platform.RecipientGone', 'Platform.MessageRejected']);
    });

    within('the account says who it is', async ({ connection, call }) => {
      const { user_id: id } = await call('auth.test', {});
      // The second token has no say here: an independent server has no Socket Mode.
      const identity = await connection.identify().catch((error: unknown) => error);
      if (PortError.is(identity)) expect(identity.message).toContain('apps.connections.open');
      else expect(identity).toMatchObject({ id });
    });
  });
}
