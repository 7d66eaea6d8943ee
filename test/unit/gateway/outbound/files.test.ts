import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createFileOutbound } from '../../../../src/gateway/outbound/file-outbound.ts';
import type { Outbound } from '../../../../src/gateway/outbound/outbound.ts';
import type { OutboxRow } from '../../../../src/store/outbox-ports.ts';
import { openOutboundBench, ScriptedPlatform, until } from './scripted-chat.ts';
import { conversationId, RunningTurn } from './running-turn.ts';

const settled = (outbound: Outbound, id: string): Promise<OutboxRow | null> =>
  until(
    () => outbound.get(id),
    (row) => row !== null && !['new', 'sending'].includes(row.state),
  );

describe('a file of the agent', () => {
  it('goes to the chat of its turn, whole and once, with its caption', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    const outbound = bench.boot();
    await RunningTurn.begin(bench);
    const files = createFileOutbound({ ...bench, capabilitiesOf: () => platform.capabilities });
    expect(await files.fileLimit({ conversationId, turn: 1 })).toBe(1_000_000);
    const bytes = randomBytes(700_000);
    await bench.store.blobs.put({ id: 'b', conversationId, mediaType: 'image/png', bytes });
    const file = { key: 'talk/1/1/0', conversationId, turn: 1, name: 'a.png', mediaType: 'image/png' };
    const kept = { ...file, caption: 'a **plot**', blobId: 'b', sizeBytes: bytes.length };
    await files.sendFile(kept);
    await files.sendFile(kept);
    expect(await settled(outbound, 'talk/1/1/0')).toMatchObject({ state: 'sent' });
    expect(platform.shown).toHaveLength(1);
    expect(platform.shown[0]).toMatchObject({ text: 'a plot', file: { name: 'a.png' } });
    expect(platform.shown[0]?.file?.bytes.equals(bytes)).toBe(true);
  });

  it('is never larger than what fits into memory, whatever the platform takes', async () => {
    const bench = await openOutboundBench({});
    await RunningTurn.begin(bench);
    const { capabilities } = new ScriptedPlatform({ files: { sendBytes: 1e9, receiveBytes: 1, captionMax: 1 } });
    const files = createFileOutbound({ ...bench, capabilitiesOf: () => capabilities });
    expect(await files.fileLimit({ conversationId, turn: 1 })).toBe(100_000_000);
  });

  it('has no limit where the turn came from no chat', async () => {
    const bench = await openOutboundBench({});
    await RunningTurn.begin(bench, 1, null);
    const files = createFileOutbound({ ...bench, capabilitiesOf: () => undefined });
    expect(await files.fileLimit({ conversationId, turn: 1 })).toBeNull();
  });

  it('that is larger than the platform takes is said instead', async () => {
    const platform = new ScriptedPlatform({ files: { sendBytes: 10, receiveBytes: 1, captionMax: 1_000 } });
    const bench = await openOutboundBench({ chat: platform });
    const outbound = bench.boot();
    const bytes = Buffer.from('more than ten bytes');
    const to = { platform: 'chat', chat: '1' };
    const source = { ownId: 'f' };
    const file = { name: 'big.bin', mediaType: 'x/y', sizeBytes: bytes.length, kind: 'document', source } as const;
    await bench.store.outbox.enqueue({ id: 'f', kind: 'file', to, conversationId: null, text: '', file, bytes });
    await settled(outbound, 'f');
    expect(platform.texts[0]).toMatch(/big\.bin could not be sent: it has 1 KB/u);
  });

  it('with a long caption has it as messages of its own', async () => {
    const platform = new ScriptedPlatform({ files: { sendBytes: 10, receiveBytes: 1, captionMax: 200 } });
    const bench = await openOutboundBench({ chat: platform });
    const outbound = bench.boot();
    const file = { name: 'f', mediaType: 'x/y', sizeBytes: 2, kind: 'document', source: { ownId: 'o' } } as const;
    const to = { platform: 'chat', chat: '1' };
    const text = 'word '.repeat(60);
    const bytes = Buffer.from('ab');
    await bench.store.outbox.enqueue({ id: 'f', kind: 'file', to, conversationId: null, text, file, bytes });
    await settled(outbound, 'f');
    expect(platform.shown.map((one) => one.file?.bytes.toString() ?? one.text.length)).toEqual(['ab', 299]);
  });
});

describe('a direct message', () => {
  it('goes to the home chat, with its files behind it, once by its key', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    bench.homes.set('chat', 'h');
    const outbound = bench.boot();
    const files = [{ name: 'a.txt', mediaType: 'text/plain', bytes: Buffer.from('abc') }];
    for (let time = 0; time < 2; time += 1) {
      await outbound.sendDirect({ key: 'send/1', to: 'chat:home', text: 'hi s3cret', files });
    }
    expect(await settled(outbound, 'send/1/file-0')).toMatchObject({ state: 'sent' });
    expect(platform.inChat('h')).toEqual(['hi [hidden]', '']);
    expect(platform.shown[1]?.file?.bytes.toString()).toBe('abc');
    expect(await bench.store.outbox.readFile('send/1/file-0', { offset: 0, maxBytes: 9 })).toBeNull();
  });

  it('reads an address with a thread where the platform has threads', async () => {
    const bench = await openOutboundBench({
      chat: new ScriptedPlatform(),
      flat: new ScriptedPlatform({ threads: false }),
    });
    const outbound = bench.boot();
    const to = async (address: string): Promise<unknown> => {
      const [id = ''] = await outbound.sendDirect({ key: `send/${address}`, to: address, text: 'x', files: [] });
      return (await outbound.get(id))?.to;
    };
    expect(await to('chat:C1:17.2')).toEqual({ platform: 'chat', chat: 'C1', thread: '17.2' });
    expect(await to('chat:C1')).toEqual({ platform: 'chat', chat: 'C1' });
    expect(await to('flat:a:b')).toEqual({ platform: 'flat', chat: 'a:b' });
  });

  it('with a file that is larger than the platform takes is refused before anything is sent', async () => {
    const platform = new ScriptedPlatform();
    const outbound = (await openOutboundBench({ chat: platform })).boot();
    const files = [{ name: 'big.bin', mediaType: 'text/plain', bytes: Buffer.alloc(1_000_001) }];
    const sending = outbound.sendDirect({ key: 'send/12', to: 'chat:1', text: 'x', files });
    await expect(sending).rejects.toThrow(/big\.bin has 977 KB, and chat takes at most 977 KB/u);
    expect(await outbound.get('send/12')).toBeNull();
  });

  it('to an account that is set up and switched off waits for it', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({});
    const { capabilities } = platform;
    const outbound = bench.boot({ setUp: () => [{ id: 'chat', capabilities }] });
    await outbound.sendDirect({ key: 'send/12', to: 'chat:1', text: 'x', files: [] });
    expect(await outbound.get('send/12')).toMatchObject({ state: 'new' });
    bench.accounts.set('chat', platform);
    expect(await settled(outbound, 'send/12')).toMatchObject({ state: 'sent' });
  });

  it.each([
    ['nowhere:1', /No account nowhere is set up/u],
    ['chat:home', /no home chat/u],
    ['chat:', /An address is/u],
  ])('to %s is refused with words', async (to, words) => {
    const bench = await openOutboundBench({ chat: new ScriptedPlatform() });
    await expect(bench.boot().sendDirect({ key: 'send/12', to, text: 'x', files: [] })).rejects.toThrow(words);
  });
});

describe('an answer that is to be spoken', () => {
  const speech = Buffer.from('OggS');

  it('is a voice note with its text after it', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    const spoken: string[] = [];
    const outbound = bench.boot({
      speechFor: () =>
        Promise.resolve((text) => {
          spoken.push(text);
          return Promise.resolve({ bytes: speech, mediaType: 'audio/ogg' });
        }),
    });
    const turn = await RunningTurn.begin(bench);
    await turn.ends('Hello **you**');
    expect(await settled(outbound, 'talk/1')).toMatchObject({ state: 'sent' });
    expect(spoken).toEqual(['Hello you']);
    expect(platform.shown).toMatchObject([{ file: { bytes: speech }, text: '' }, { text: 'Hello you' }]);
  });

  it('replaces what was shown live, with the voice note below', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    const speak = (): Promise<{ bytes: Buffer; mediaType: string }> =>
      Promise.resolve({ bytes: speech, mediaType: 'audio/ogg' });
    const outbound = bench.boot({ speechFor: () => Promise.resolve(speak) });
    const turn = await RunningTurn.begin(bench);
    turn.says('Hel');
    await until(
      () => platform.texts,
      (texts) => texts.length === 1,
    );
    await turn.ends('Hello');
    await settled(outbound, 'talk/1');
    expect(platform.shown).toMatchObject([{ text: 'Hello' }, { file: { bytes: speech } }]);
  });

  it.each([
    ['cannot be said', () => Promise.reject(new Error('no voice')), {}],
    ['is not wanted', () => Promise.resolve(null), {}],
    ['is on a platform without voice notes', () => Promise.reject(new Error('not asked')), { voiceNotes: false }],
  ] as const)('and %s is written', async (_name, speechFor, capabilities) => {
    const platform = new ScriptedPlatform(capabilities);
    const bench = await openOutboundBench({ chat: platform });
    const outbound = bench.boot({ speechFor });
    const turn = await RunningTurn.begin(bench);
    await turn.ends('Hello');
    await settled(outbound, 'talk/1');
    expect(platform.texts).toEqual(['Hello']);
  });
});
