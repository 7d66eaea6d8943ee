import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { calls, hang, text, type ScriptedCall } from '../support/model-server.ts';
import { Installation } from '../support/installation.ts';
import { finalAnswer, interrupt, openConversation, say } from '../support/conversation.ts';

/** Commands of one conversation share a shell's state, those of two share nothing and do not wait for each other. */

let one: Installation;

beforeAll(async () => {
  one = await Installation.create({ env: { HERMES_WEB_ALLOW_PRIVATE_ADDRESSES: 'true' } });
  await one.start('all');
});
beforeEach(() => one.model.reset());
afterAll(() => one.dispose());

const run = (command: string): ScriptedCall => ({ name: 'run_command', args: { command } });

/** A turn that makes one call. @returns the result as the model read it. */
async function result(conversationId: string, call: ScriptedCall): Promise<string> {
  one.model.next(calls(call), text('ok'));
  expect((await finalAnswer(one, await say(one, conversationId, 'go'))).state).toBe('done');
  return one.model.requests.at(-1)?.last ?? '';
}

describe('state between commands', () => {
  it('the directory and exported variables stay, across turns and a restart, and only in their conversation', async () => {
    const [here, there] = [await openConversation(one), await openConversation(one)];
    await result(here, run('mkdir -p deep/er && cd deep/er && export COLOUR="deep blue" && local_only=1'));
    expect(await result(here, run('basename "$PWD"; echo "colour=[$COLOUR]"'))).toMatch(/er\ncolour=\[deep blue\]/);
    expect(await result(there, run('basename "$PWD"; echo "colour=[$COLOUR]"'))).toMatch(/colour=\[\]/);
    expect(await result(there, run('pwd'))).toContain(one.workspace);

    await one.kill('all');
    await one.start('all');
    expect(await result(here, run('basename "$PWD"; echo "colour=[$COLOUR]"'))).toMatch(/er\ncolour=\[deep blue\]/);
    await result(here, run('cd ..; unset COLOUR'));
    expect(await result(here, run('basename "$PWD"; echo "colour=[${COLOUR-none}]"'))).toMatch(/deep\ncolour=\[none\]/);
  });

  it('a failing command says its exit code, and its state is kept as well', async () => {
    const here = await openConversation(one);
    expect(await result(here, run('mkdir -p kept; cd kept; export LEFT=over; (exit 3)'))).toMatch(/\b3\b/);
    expect(await result(here, run('basename "$PWD"; echo "$LEFT"'))).toMatch(/kept\nover/);
  });
});

describe('a large output', () => {
  it('reaches the model as head and tail; the whole is read by reference, page by page', async () => {
    const conversationId = await openConversation(one);
    const cut = await result(conversationId, run('seq -f "line %.0f of many" 1 60000'));
    expect(cut.length).toBeLessThan(60_000);
    expect(cut).toContain('line 1 of many');
    expect(cut).toContain('line 60000 of many');
    expect(cut).not.toContain('line 30000 of many');
    const reference = /blob:[^\s\])"']+/.exec(cut)?.[0];
    expect(reference).toBeDefined();

    const read = (offset: number) => ({ name: 'read_file', args: { path: reference, offset, limit: 3 } });
    expect(await result(conversationId, read(30_000))).toMatch(/line (29999|30000) of many/);
    expect(await result(conversationId, read(1))).toContain('line 1 of many');
    // What is stored for one conversation is no other's to read.
    expect(await result(await openConversation(one), read(1))).toMatch(/No stored result/);
  });
});

describe('calls of one step', () => {
  it('read side by side', async () => {
    const meeting = await meetingOf(3);
    const fetches = [1, 2, 3].map((page) => ({ name: 'web_fetch', args: { url: `${meeting.url}/${String(page)}` } }));
    one.model.next(calls(...fetches), text('All three.'));
    const answer = await finalAnswer(one, await say(one, await openConversation(one), 'compare them'));
    await meeting.close();
    // Each page is only served once all three have been asked for.
    expect(answer).toMatchObject({ state: 'done', text: 'All three.' });
    expect(answer.toolCalls.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok']);
    const pages = one.model.requests[1]?.body.messages.filter(({ role }) => role === 'tool') ?? [];
    expect(pages.map(({ content }) => /page (\d)/.exec(JSON.stringify(content))?.[1])).toEqual(['1', '2', '3']);
  });

  it('change things one after another, in the order the model made them', async () => {
    const append = (word: string) =>
      run(`sleep 0.${String(3 - word.length)}; echo ${word} >> order.txt; cat order.txt`);
    one.model.next(calls(append('a'), append('bb'), append('c')), text('In order.'));
    await finalAnswer(one, await say(one, await openConversation(one), 'go'));
    expect(one.model.requests[1]?.last).toMatch(/a\nbb\nc/);
  });
});

describe('two conversations', () => {
  it('the command of one does not hold up that of the other', async () => {
    const [waiting, acting] = [await openConversation(one), await openConversation(one)];
    one.model.turn('wait', calls(run('until [ -e signal ]; do sleep 0.05; done; echo met')), text('We met.'));
    one.model.turn('act', calls(run('touch signal')), text('Signalled.'));
    const first = await say(one, waiting, 'wait');
    await one.model.received(1);
    expect(await finalAnswer(one, await say(one, acting, 'act'))).toMatchObject({ text: 'Signalled.' });
    expect(await finalAnswer(one, first)).toMatchObject({ state: 'done', text: 'We met.' });
  });

  it('the model call of one does not hold up that of the other', async () => {
    const [stuck, free] = [await openConversation(one), await openConversation(one)];
    one.model.next(hang());
    const first = await say(one, stuck, 'think for ever');
    await one.model.received(1);
    expect(await finalAnswer(one, await say(one, free, 'quick one'))).toMatchObject({ state: 'done', text: 'ok' });
    await interrupt(one, stuck);
    expect(await finalAnswer(one, first)).toMatchObject({ state: 'interrupted' });
  });
});

/** A web server that answers nobody before `guests` requests have come. */
async function meetingOf(guests: number): Promise<{ readonly url: string; close(): Promise<void> }> {
  const waiting: (() => void)[] = [];
  const server: Server = createServer((request, response) => {
    waiting.push(() => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end(`<html><body><p>This is page ${request.url?.slice(1) ?? ''} of three.</p></body></html>`);
    });
    if (waiting.length >= guests) for (const answer of waiting.splice(0)) answer();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
