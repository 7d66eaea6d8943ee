import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { WebhookRequest } from '../../../src/gateway/platforms/platform.ts';
import { slack } from '../../../src/gateway/platforms/slack/descriptor.ts';
import { readEvent } from '../../../src/gateway/platforms/slack/read-event.ts';
import { callbackOf, SlackServer } from '../../support/platforms/slack-server.ts';
import { botUser } from '../../support/platforms/slack-workspace.ts';
import { openBench, until, type Bench } from './bench.ts';

const anna = { id: 'UANNA0001', name: 'Anna' };
const ben = { id: 'UBEN00001', name: 'Ben' };
const direct = { id: 'D0000000001', kind: 'direct' as const };
const group = { id: 'C0000000001', kind: 'group' as const };
const self = { userId: botUser, botId: 'BHERMES01', command: 'hermes' };

let bench: Bench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});
async function open(mode: 'socket' | 'http' = 'socket'): Promise<{ bench: Bench; server: SlackServer }> {
  const server = new SlackServer(mode);
  bench = await openBench(slack, server);
  return { bench, server };
}
const options = (key: string) => ({ key, signal: AbortSignal.timeout(20_000) });
const read = (event: Record<string, unknown>) =>
  readEvent(
    callbackOf({ type: 'message', user: anna.id, ts: '1700000000.000100', ...event }),
    self,
    '2026-01-01T00:00:00Z',
  );

describe('what Slack delivers', () => {
  it('a mention, which Slack tells twice, is one event', async () => {
    const { bench, server } = await open();
    await server.says({ chat: group, from: anna, text: 'are you there', mention: true });
    await bench.message('are you there');
    await until('both were offered', () => bench.inbox.offers.length === 2);
    await until('both are acknowledged', () => server.unacknowledged() === 0);
    expect(bench.inbox.events).toHaveLength(1);
  });

  it('its own messages, joins, previews of links and deletions are no events', () => {
    const edited = { user: anna.id, ts: '1700000009.000000' };
    const nothing: Record<string, unknown>[] = [
      { channel: 'D1', user: botUser, text: 'mine' },
      { channel: 'D1', user: undefined, bot_id: 'BHERMES01', subtype: 'bot_message', text: 'mine too' },
      { channel: 'C1', subtype: 'channel_join', text: 'joined' },
      { channel: 'C1', subtype: 'message_deleted', deleted_ts: '1.0' },
      {
        channel: 'D1',
        subtype: 'message_changed',
        message: { type: 'message', user: anna.id, ts: '1.0', text: 'https://example.org', edited },
        previous_message: { text: 'https://example.org' },
      },
    ];
    for (const event of nothing) expect(read(event)).toBeNull();
  });

  it('the words of another bot are told as such', () => {
    const event = read({
      channel: 'C1',
      bot_id: 'BOTHER',
      user: undefined,
      subtype: 'bot_message',
      username: 'ci',
      text: 'red',
    });
    expect(event).toMatchObject({
      kind: 'message',
      addressed: false,
      sender: { id: 'BOTHER', name: 'ci', isBot: true },
    });
  });

  it('formatting becomes Markdown, from the editor and from plain text', () => {
    const plain = read({
      channel: 'D1',
      text: '*bold* and `*code*` <https://example.org|a &amp; b> <@UBEN00001> <#C1|general> <!here> 2 * 3 * 4',
    });
    expect(plain).toMatchObject({
      text: '**bold** and `*code*` [a & b](https://example.org) @UBEN00001 #general @here 2 * 3 * 4',
    });
    const element = (text: string, style = {}) => ({ type: 'text', text, style });
    const blocks = [
      {
        type: 'rich_text',
        elements: [
          {
            type: 'rich_text_section',
            elements: [element('see '), element('this ', { bold: true }), element('*literal*\n')],
          },
          {
            type: 'rich_text_list',
            style: 'bullet',
            elements: [{ elements: [element('one')] }, { elements: [element('two')] }],
          },
          { type: 'rich_text_preformatted', elements: [element('a < b\n')] },
          { type: 'rich_text_quote', elements: [element('said')] },
        ],
      },
    ];
    expect(read({ channel: 'D1', text: 'other', blocks })).toMatchObject({
      text: 'see **this** *literal*\n- one\n- two\n```\na < b\n```\n> said',
    });
  });

  it('people who are mentioned are named', async () => {
    const { bench, server } = await open();
    await server.says({ chat: group, from: ben, text: 'hello' });
    const event = { type: 'message', channel: direct.id, channel_type: 'im', user: anna.id, ts: '1700000000.000100' };
    server.event({ ...event, text: 'ask <@UBEN00001> and <@UNOBODY01>' });
    const came = await bench.message('ask');
    expect(came.text).toBe('ask @Ben and @UNOBODY01');
  });

  it('the slash command of the app names the command in its first word', async () => {
    const { bench, server } = await open();
    await server.command({ chat: direct, from: anna, name: 'hermes', args: 'resume my plans' });
    await server.command({ chat: direct, from: anna, name: 'hermes', args: '' });
    await until('both came', () => bench.inbox.events.length === 2);
    expect(bench.inbox.events).toMatchObject([
      { kind: 'command', name: 'resume', args: 'my plans' },
      { kind: 'command', name: 'help', args: '' },
    ]);
  });

  it('a command may be typed behind a mention, where Slack keeps slash commands for itself', async () => {
    const { bench, server } = await open();
    await server.says({ chat: group, from: anna, text: '/status of all', mention: true });
    const event = await bench.inbox.event(({ kind }) => kind === 'command');
    expect(event).toMatchObject({ name: 'status', args: 'of all', chat: { id: group.id } });
  });

  it('a voice clip comes as voice', async () => {
    const { bench, server } = await open();
    const clip = {
      kind: 'voice' as const,
      name: 'audio_message.m4a',
      mediaType: 'audio/mp4',
      bytes: Buffer.from('sound'),
    };
    await server.says({ chat: direct, from: anna, text: '', files: [clip] });
    const event = await bench.inbox.event(({ kind }) => kind === 'message');
    expect(event).toMatchObject({ text: '', files: [{ kind: 'voice', mediaType: 'audio/mp4' }] });
  });

  it('the removal from a channel is told', async () => {
    const { bench, server } = await open();
    server.event({ type: 'channel_left', channel: group.id, actor_id: anna.id, event_ts: '1700000000.000001' });
    const event = await bench.inbox.event(({ kind }) => kind === 'gone');
    expect(event.chat).toMatchObject({ id: group.id, kind: 'group' });
  });

  it('the connection is renewed when Slack asks for it', async () => {
    const { bench, server } = await open();
    server.askToRenew();
    await until('connected again', () => bench.inbox.states.filter(({ state }) => state === 'connected').length === 2);
    await server.says({ chat: direct, from: anna, text: 'after it' });
    await bench.message('after it');
  });
});

describe('what Slack does not deliver any more', () => {
  it('direct messages and their threads are read after an outage, in order, once', async () => {
    const { bench, server } = await open();
    const root = await server.says({ chat: direct, from: anna, text: 'before' });
    await bench.message('before');
    await server.says({ chat: { ...direct, thread: root }, from: anna, text: 'in the thread' });
    await bench.message('in the thread');
    await until('it is remembered', () => server.unacknowledged() === 0);
    await sleep(50);
    await bench.disconnect();
    for (const text of ['lost 1', 'lost 2']) await server.says({ chat: direct, from: anna, text });
    await server.says({ chat: { ...direct, thread: root }, from: anna, text: 'lost in the thread' });
    server.forget();
    await bench.connect();
    await bench.message('lost in the thread');
    await bench.message('lost 2');
    await server.says({ chat: direct, from: anna, text: 'afterwards' });
    await bench.message('afterwards');
    const texts = bench.inbox.events.map((event) => (event.kind === 'message' ? event.text : event.kind));
    expect(texts.filter((text) => text !== 'lost in the thread')).toEqual([
      'before',
      'in the thread',
      'lost 1',
      'lost 2',
      'afterwards',
    ]);
    expect(texts.filter((text) => text === 'lost in the thread')).toHaveLength(1);
  });

  it('what was refused before the connection ended is found again though later messages were kept', async () => {
    const { bench, server } = await open();
    await server.says({ chat: direct, from: anna, text: 'first' });
    await bench.message('first');
    await sleep(50);
    bench.inbox.refuse('before');
    await server.says({ chat: direct, from: anna, text: 'refused' });
    await until('it was offered', () => bench.inbox.offers.length >= 2);
    server.forget();
    bench.inbox.refuse(null);
    await server.says({ chat: direct, from: anna, text: 'kept' });
    await bench.message('kept');
    await bench.disconnect();
    await bench.connect();
    await bench.message('refused');
  });
});

describe('the webhook', () => {
  const webhook = async (bench: Bench, request: WebhookRequest) => {
    const answer = await bench.connection().webhook?.(request, bench.inbox);
    if (answer === undefined) throw new Error('There is no webhook.');
    return answer;
  };
  const said = (text: string) =>
    JSON.stringify(
      callbackOf({
        type: 'message',
        channel: direct.id,
        channel_type: 'im',
        user: anna.id,
        text,
        ts: '1700000000.000100',
      }),
    );

  it('answers the challenge, and only when it is signed', async () => {
    const { bench, server } = await open('http');
    const request = server.signed(
      JSON.stringify({ type: 'url_verification', challenge: 'abc123' }),
      'application/json',
    );
    expect(await webhook(bench, request)).toMatchObject({ status: 200, body: 'abc123' });
    const headers = { ...request.headers, 'x-slack-signature': `v0=${'0'.repeat(64)}` };
    expect((await webhook(bench, { ...request, headers })).status).toBe(401);
  });

  it('refuses what is unsigned, changed, old, of the future, or seen before', async () => {
    const { bench, server } = await open('http');
    const now = Math.floor(Date.now() / 1000);
    const good = server.signed(said('good'), 'application/json');
    const bad = [
      { ...good, headers: { 'content-type': 'application/json' } },
      { ...good, headers: { ...good.headers, 'x-slack-signature': 'v0=zz' } },
      { ...good, body: Buffer.from(said('changed')) },
      server.signed(said('old'), 'application/json', now - 400),
      server.signed(said('of the future'), 'application/json', now + 400),
    ];
    for (const request of bad) expect((await webhook(bench, request)).status).toBe(401);
    expect(bench.inbox.events).toHaveLength(0);
    expect((await webhook(bench, good)).status).toBe(200);
    expect((await webhook(bench, good)).status).toBe(401);
    expect(bench.inbox.offers).toHaveLength(1);
  });

  it('takes the same request again when the first was not kept', async () => {
    const { bench, server } = await open('http');
    const request = server.signed(said('again'), 'application/json');
    bench.inbox.refuse('before');
    expect((await webhook(bench, request)).status).toBe(503);
    bench.inbox.refuse(null);
    expect((await webhook(bench, request)).status).toBe(200);
    expect(bench.count('again')).toBe(1);
  });

  it('says no to what is no payload, without failing', async () => {
    const { bench, server } = await open('http');
    expect((await webhook(bench, server.signed('not json', 'application/json'))).status).toBe(400);
    expect((await webhook(bench, server.signed('payload=nonsense', 'application/x-www-form-urlencoded'))).status).toBe(
      400,
    );
    expect((await webhook(bench, { ...server.signed('{}', 'application/json'), method: 'GET' })).status).toBe(405);
  });
});

describe('what is sent', () => {
  const greet = async (bench: Bench, server: SlackServer) => {
    await server.says({ chat: direct, from: anna, text: 'hello' });
    await bench.message('hello');
  };

  it('a person may be named in place of the direct chat', async () => {
    const { bench, server } = await open();
    await greet(bench, server);
    const to = { chat: anna.id };
    const { outbound } = bench.connection();
    const { messageId } = await outbound.sendText(to, { text: 'a reminder' }, options('slack/by-person'));
    expect(server.messages(direct)).toMatchObject([{ id: messageId, text: 'a reminder' }]);
    const since = new Date(Date.now() - 1_000).toISOString();
    expect(await outbound.reconcile(to, 'slack/by-person', since)).toEqual({ state: 'sent', messageId });
    expect(
      (await bench.refusal(outbound.sendText({ chat: ben.id }, { text: 'x' }, options('slack/nobody')))).code,
    ).toBe('Platform.RecipientGone');
  });

  it('a long text keeps its buttons, and loses them with an edit', async () => {
    const { bench, server } = await open();
    await greet(bench, server);
    const { outbound } = bench.connection();
    const buttons = [{ label: 'Yes', data: 'abcdabcdabcdabcd:0' }];
    const text = 'x'.repeat(3_500);
    const { messageId } = await outbound.sendText({ chat: direct.id }, { text, buttons }, options('slack/long'));
    expect(server.messages(direct)).toMatchObject([{ text, buttons }]);
    await outbound.edit({ chat: direct.id }, messageId, { text: 'done' }, options('slack/long/edit'));
    expect(server.messages(direct)).toMatchObject([{ text: 'done', buttons: [] }]);
  });

  it('a key that Slack takes for a repeat it cannot find is not sent under its id again', async () => {
    const { bench, server } = await open();
    await greet(bench, server);
    const { outbound } = bench.connection();
    server.failMethod('chat.postMessage', { kind: 'says', error: 'duplicate_message_not_found' });
    const send = () => outbound.sendText({ chat: direct.id }, { text: 'once' }, options('slack/repeat'));
    expect((await bench.refusal(send())).code).toBe('Platform.Ambiguous');
    await send();
    const ids = server.calls('chat.postMessage').map((body) => body.has('client_msg_id'));
    expect(ids).toEqual([true, false]);
  });

  it('what Slack answers is told in the words of the port', async () => {
    const { bench, server } = await open();
    await greet(bench, server);
    const { outbound } = bench.connection();
    const wanted = {
      missing_scope: 'Platform.Authentication',
      is_archived: 'Platform.RecipientGone',
      msg_too_long: 'Platform.MessageRejected',
      service_unavailable: 'Platform.Unavailable',
      fatal_error: 'Platform.Ambiguous',
      'A page of a proxy': 'Platform.Ambiguous',
      ratelimited: 'Platform.RateLimited',
    };
    for (const [error, code] of Object.entries(wanted)) {
      server.failMethod('chat.postMessage', { kind: 'says', error });
      const refused = await bench.refusal(outbound.sendText({ chat: direct.id }, { text: 'x' }, options('slack/word')));
      expect([error, refused.code]).toEqual([error, code]);
    }
    expect(server.messages(direct)).toEqual([]);
  });

  it('a file whose answer is lost is found again by its key, in a thread too', async () => {
    const { bench, server } = await open();
    await greet(bench, server);
    const { outbound } = bench.connection();
    const since = new Date(Date.now() - 1_000).toISOString();
    const file = (caption?: string) => ({
      name: 'notes.txt',
      mediaType: 'text/plain',
      kind: 'document' as const,
      sizeBytes: 5,
      ...(caption === undefined ? {} : { caption }),
      open: () => Promise.resolve(Readable.from([Buffer.from('notes')])),
    });
    const root = await outbound.sendText({ chat: direct.id }, { text: 'root' }, options('slack/root'));
    for (const to of [{ chat: direct.id }, { chat: direct.id, thread: root.messageId }]) {
      for (const caption of [undefined, 'with words']) {
        const key = `slack/file/${to.thread ?? ''}/${caption ?? ''}`;
        server.failMethod('files.completeUploadExternal', { kind: 'accepted-then-cut' });
        const error = await bench.refusal(outbound.sendFile(to, file(caption), options(key)));
        expect(error.code).toBe('Platform.Ambiguous');
        await until('it is shown', () => server.messages(direct).some(({ files }) => files.length > 0));
        await sleep(150);
        const found = await outbound.reconcile(to, key, since);
        expect(found.state).toBe('sent');
        const other = await outbound.reconcile(to, `${key}/other`, since);
        expect(other.state).toBe('absent');
      }
    }
    expect(server.messages(direct).filter(({ files }) => files.length > 0)).toHaveLength(4);
  });

  it('trouble before a file is shown is no ambiguity', async () => {
    const { bench, server } = await open();
    await greet(bench, server);
    const file = {
      name: 'notes.txt',
      mediaType: 'text/plain',
      kind: 'document' as const,
      sizeBytes: 5,
      open: () => Promise.resolve(Readable.from([Buffer.from('notes')])),
    };
    const { outbound } = bench.connection();
    for (const method of ['files.getUploadURLExternal', 'upload']) {
      server.failMethod(method, { kind: 'accepted-then-cut' });
      const error = await bench.refusal(outbound.sendFile({ chat: direct.id }, file, options(`slack/early/${method}`)));
      expect(error.code).toBe('Platform.Unavailable');
    }
    expect(server.messages(direct)).toEqual([]);
  });

  it('the token goes to no other host', async () => {
    const { bench } = await open();
    const reference = { id: 'F1', url: 'https://slack.com.example.org/files-pri/x' };
    const error = await bench.refusal(bench.connection().fetchFile(reference, AbortSignal.timeout(5_000)));
    expect(error.code).toBe('Platform.MessageRejected');
  });
});

describe('settings', () => {
  it('what the mode needs is asked for when the account is opened', async () => {
    const { bench } = await open();
    const wanting: Readonly<Record<string, unknown>>[] = [
      { botToken: null },
      { appToken: null },
      { mode: 'http', signingSecret: null },
    ];
    for (const settings of wanting) {
      const error = await bench.refusal(bench.openWith(settings));
      expect(error.code).toBe('Config.Invalid');
    }
  });

  it('each of the two tokens is proven', async () => {
    const { bench } = await open();
    for (const name of ['botToken', 'appToken']) {
      const connection = await bench.openWith({ [name]: 'xoxb-0000000000-wrong' });
      const error = await bench.refusal(connection.identify());
      expect(error.code).toBe('Platform.Authentication');
    }
  });
});
