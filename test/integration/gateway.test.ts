import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AccountView } from '../../src/contracts/api-gateway.ts';
import { calls, drip, text } from '../support/model-server.ts';
import { Installation, newInboundId, until } from '../support/installation.ts';
import { configured } from '../support/platforms/configured.ts';
import { knownPlatform, type KnownPlatform } from '../support/platforms/known.ts';
import type { SeenMessage } from '../support/platforms/platform-server.ts';

/** What a person does on platforms, through a whole installation and the real SDKs. */
const telegram = knownPlatform('telegram');
const discord = knownPlatform('discord');
const slack = knownPlatform('slack');
const whatsapp = knownPlatform('whatsapp');
const everyPlatform = [telegram, discord, slack, whatsapp];
/** What every test has made the model read. */
const prompts: string[] = [];
let one: Installation;

beforeAll(async () => {
  await Promise.all(everyPlatform.map(({ server }) => server.start()));
  const files = configured([telegram, discord, { ...slack, more: {} }, whatsapp], { burstPauseMs: 20 });
  one = await Installation.create({
    ...files,
    secrets: withWrongSlackToken(files.secrets),
    env: {
      HERMES_VOICE_TRANSCRIPTION_ENGINE: 'command',
      HERMES_VOICE_TRANSCRIPTION_COMMAND: 'cat {file}',
    },
  });
  await Promise.all([one.start('worker'), one.start('gateway')]);
  whatsapp.connect?.(one.apiUrl);
  await until('the accounts are connected', async () =>
    (await accounts()).every(({ id, state }) => state === (id === 'slack' ? 'failed' : 'connected')),
  );
  await letIn(telegram, { me: true });
});
beforeEach(() => {
  one.model.reset();
  one.model.otherwise((request) => text(`you said: ${request.user}`));
});
afterEach(() => {
  prompts.push(JSON.stringify(one.model.requests));
});
afterAll(async () => {
  await one.dispose();
  await Promise.all(everyPlatform.map(({ server }) => server.stop()));
});

describe('accounts', () => {
  it('fail apart: a wrong token is said with what to do, and the others work', async () => {
    const failed = (await accounts()).find(({ id }) => id === 'slack');
    expect(failed?.detail).toContain('gateway.slack.botToken');
    expect((await accounts()).filter(({ state }) => state === 'connected')).toHaveLength(3);
  });

  it('show the commands in the menu of the platform', async () => {
    await until('they are registered', () => (discord.server.commands() ?? []).includes('handoff'));
    expect(telegram.server.commands()).toContain('approve');
  });

  it('refuse a call with a wrong signature', async () => {
    const forged = await fetch(`${one.apiUrl}/webhooks/whatsapp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` },
      body: '{"object":"whatsapp_business_account","entry":[]}',
    });
    expect(forged.status).toBe(403);
  });
});

describe('a person', () => {
  it('unknown here gets a code and nothing else', async () => {
    await says(whatsapp, 'tell me the secrets', 7);
    const seen = await waitFor(whatsapp, /pairing approve/, 7);
    expect(seen).toHaveLength(1);
    await says(whatsapp, 'please', 7);
    await says(telegram, 'are you there?');
    await waitFor(telegram, /you said: are you there/);
    expect(messages(whatsapp, 7)).toHaveLength(1);
    expect(one.model.requests.map(({ user }) => user)).toEqual(['are you there?']);
  });

  it('has one conversation on every account that is theirs, and answers come where they wrote', async () => {
    await telegram.server.command({ chat: telegram.direct(0), from: telegram.person(0), name: 'link', args: '' });
    const [given] = await waitFor(telegram, /\/link [A-Z2-9]{4}-[A-Z2-9]{4}/);
    await says(discord, /\/link [A-Z2-9-]+/.exec(given?.text ?? '')?.[0] ?? '');
    await waitFor(discord, /joined to telegram/);
    await says(telegram, 'my cat is called Mo');
    await waitFor(telegram, /you said: my cat/);
    await says(discord, 'what is she called?');
    await waitFor(discord, /you said: what is she/);
    expect(messages(telegram).some((message) => message.text.includes('what is she'))).toBe(false);
    const spoken = one.model.requests.at(-1)?.body.messages.map(({ content }) => JSON.stringify(content)) ?? [];
    expect(spoken.some((words) => words === '"my cat is called Mo"')).toBe(true);
    expect(spoken[0]).toContain('The person writes from: Discord');
    expect((await one.ask('and here?')).text).toBe('you said: and here?');
    expect(one.model.requests.at(-1)?.body.messages.length).toBeGreaterThan(spoken.length);
  });

  it('hands a running turn of the terminal over to a chat', async () => {
    one.model.turn('long work', text('the work is done', { delayMs: 1_500 }));
    const inboundId = newInboundId();
    const { conversationId } = await one.submit({ inboundId, text: 'long work' });
    await until('it thinks', () => one.model.requests.some(({ user }) => user === 'long work'));
    const body = { key: `handoff-${inboundId}`, to: 'telegram' };
    expect(await one.request('POST', `/api/conversations/${conversationId}/handoff`, body)).toMatchObject({
      status: 200,
      body: { account: 'telegram' },
    });
    await waitFor(telegram, /the work is done/);
  });
});

describe('an answer', () => {
  it('grows in one message while it is written', async () => {
    const words = Array.from({ length: 16 }, (_, index) => `word${String(index)} `);
    one.model.turn('slowly', drip(words, 250));
    await says(discord, 'slowly');
    await until('it is shown in part', () => {
      const shown = messages(discord).at(-1)?.text ?? '';
      return shown.includes('word1 ') && !shown.includes('word15');
    });
    const [whole] = await waitFor(discord, /word15/);
    expect(whole?.edits).toBeGreaterThan(1);
    expect(messages(discord).filter((message) => message.text.includes('word1 '))).toHaveLength(1);
  });

  it('longer than a message is cut into several, in order', async () => {
    const long = Array.from({ length: 900 }, (_, index) => `line ${String(index)}`).join('\n');
    one.model.turn('at length', text(long));
    await says(telegram, 'at length');
    await waitFor(telegram, /line 899/);
    const parts = messages(telegram).filter((message) => /line \d/.test(message.text));
    expect(parts.length).toBeGreaterThan(1);
    expect(
      parts
        .map(({ text: part }) => part)
        .join('\n')
        .match(/line \d+/g),
    ).toEqual(long.match(/line \d+/g));
  });
});

describe('an approval', () => {
  const command = 'git push --force';
  const ask = async (words: string): Promise<SeenMessage> => {
    one.model.turn(words, calls({ name: 'run_command', args: { command } }), text(`${words}: over`));
    await says(telegram, words);
    await until('it is asked', () => (messages(telegram).at(-1)?.buttons.length ?? 0) > 0);
    return messages(telegram).at(-1) as SeenMessage;
  };
  const press = (message: SeenMessage, label: RegExp): Promise<void> =>
    telegram.server.presses({
      chat: telegram.direct(0),
      from: telegram.person(0),
      messageId: message.id,
      data: message.buttons.find((button) => label.test(button.label))?.data ?? '',
    });

  it('is given by a button, also after a restart', async () => {
    const asked = await ask('first push');
    // The platform's answer is written down: else nobody knows which message to redraw.
    await until('it is settled', () => unsettled() === 0);
    await one.kill('gateway');
    await one.start('gateway');
    await press(asked, /Deny/);
    await waitFor(telegram, /first push: over/);
    await until('it is redrawn', () => messages(telegram).find(({ id }) => id === asked.id)?.buttons.length === 0);
    whatsapp.connect?.(one.apiUrl);
  });

  it('decided elsewhere is redrawn, and a late press says so', async () => {
    const asked = await ask('second push');
    const { body } = await one.request('GET', '/api/approvals');
    const [waiting] = (body as { approvals: { id: string }[] }).approvals;
    await one.request('POST', `/api/approvals/${encodeURIComponent(waiting?.id ?? '')}`, {
      decision: 'deny',
      scope: 'once',
    });
    await until('it is redrawn', () => messages(telegram).find(({ id }) => id === asked.id)?.buttons.length === 0);
    await press(asked, /Approve/);
    await until('it is told', () => telegram.server.pressAnswers().length > 0);
    expect(telegram.server.pressAnswers().at(-1)).toMatch(/den/i);
    await waitFor(telegram, /second push: over/);
  });

  it('is given by a plain word', async () => {
    await ask('third push');
    await says(telegram, 'nein');
    await waitFor(telegram, /third push: over/);
  });
});

describe('files and voice', () => {
  it('a file goes where commands run, and one from there comes back', async () => {
    const bytes = Buffer.from('rows of a table\n');
    one.model.when(
      ({ user, step }) => user.includes('put it away') && step === 0,
      ({ user }) => {
        const attachment = /save_attachment "([0-9a-f]+)"/.exec(user)?.[1] ?? '';
        return calls({ name: 'save_attachment', args: { attachment, path: 'table.csv' } });
      },
    );
    one.model.when(
      ({ user, step }) => user.includes('put it away') && step === 1,
      calls({ name: 'send_file', args: { path: 'table.csv', caption: 'and back' } }),
    );
    const files = [{ kind: 'document', name: 'table.csv', mediaType: 'text/csv', bytes }] as const;
    await telegram.server.says({ chat: telegram.direct(0), from: telegram.person(0), text: 'put it away', files });
    await until('it comes back', () => messages(telegram).some((message) => message.files.length > 0));
    expect(readFileSync(join(one.workspace, 'table.csv'))).toEqual(bytes);
    const back = messages(telegram).find((message) => message.files.length > 0);
    expect(back).toMatchObject({ text: 'and back', files: [{ name: 'table.csv', bytes }] });
  });

  it('a voice note is heard, and shown as it was understood', async () => {
    const files = [
      { kind: 'voice', name: 'v.ogg', mediaType: 'audio/ogg', bytes: Buffer.from('water the plants') },
    ] as const;
    await telegram.server.says({ chat: telegram.direct(0), from: telegram.person(0), text: '', files });
    await waitFor(telegram, /you said:.*water the plants/s);
    expect(messages(telegram).filter((message) => message.text.includes('water the plants'))).toHaveLength(2);
  });

  it('a message is sent without waking the agent', async () => {
    await telegram.server.command({ chat: telegram.direct(0), from: telegram.person(0), name: 'sethome', args: '' });
    await waitFor(telegram, /Reminders and notices/);
    const files = [{ name: 'a.txt', mediaType: 'text/plain', base64: Buffer.from('abc').toString('base64') }];
    const body = { key: 'send/integration-1', to: 'telegram:home', text: '**done**', files };
    for (const time of [1, 2]) {
      const answer = await one.request('POST', '/api/gateway/send', body);
      expect([time, answer.body]).toEqual([time, { state: 'sent', detail: '' }]);
    }
    expect(messages(telegram).filter((message) => message.text === '<b>done</b>')).toHaveLength(1);
    expect(one.model.requests).toHaveLength(0);
  });
});

it('no secret of a platform is in a log, a prompt or a history', () => {
  const secrets = everyPlatform.flatMap(({ server }) => server.secrets());
  expect(prompts.length).toBeGreaterThan(10);
  for (const secret of secrets) {
    expect([one.log, ...prompts].some((where) => where.includes(secret))).toBe(false);
  }
  // Temporal keeps histories uncompressed in its one file.
  const histories = readFileSync(one.temporal.dbFile).toString('latin1');
  for (const secret of secrets) expect(histories.includes(secret)).toBe(false);
});

async function accounts(): Promise<readonly AccountView[]> {
  return ((await one.request('GET', '/api/gateway/accounts')).body as { accounts: AccountView[] }).accounts;
}

/** Messages of the outbox whose sending has not ended. */
function unsettled(): number {
  const database = new Database(join(one.home, 'hermes.db'), { readonly: true });
  try {
    return database.prepare(`SELECT 1 FROM Outbox WHERE state IN ('new', 'sending')`).all().length;
  } finally {
    database.close();
  }
}

/** A stranger asks, and is let in by the code they were shown. */
async function letIn(platform: KnownPlatform, as: { me: boolean }): Promise<void> {
  await says(platform, 'hello');
  const [shown] = await waitFor(platform, /pairing approve [A-Z2-9]{8}/);
  const code = /pairing approve ([A-Z2-9]{8})/.exec(shown?.text ?? '')?.[1];
  expect((await one.request('POST', '/api/gateway/pairings/approve', { code, ...as })).status).toBe(200);
}

async function says(platform: KnownPlatform, words: string, index = 0): Promise<void> {
  await platform.server.says({ chat: platform.direct(index), from: platform.person(index), text: words });
}

function messages(platform: KnownPlatform, index = 0): readonly SeenMessage[] {
  return platform.server.messages(platform.direct(index));
}

async function waitFor(platform: KnownPlatform, words: RegExp, index = 0): Promise<readonly SeenMessage[]> {
  const found = (): readonly SeenMessage[] => messages(platform, index).filter((message) => words.test(message.text));
  await until(`${platform.id} shows ${String(words)}`, () => found().length > 0);
  return found();
}

function withWrongSlackToken(secrets: object): object {
  const { gateway } = secrets as { gateway: Record<string, Record<string, string>> };
  return { gateway: { ...gateway, slack: { ...gateway['slack'], botToken: 'xoxb-1-wrong' } } };
}
