import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { LLMock } from '@copilotkit/aimock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandWords } from '../../../../src/gateway/voice/command-words.ts';
import { createSpeaker, type SpeechOptions } from '../../../../src/gateway/voice/speak.ts';
import { createTranscriber, type Recording } from '../../../../src/gateway/voice/transcribe.ts';

const cleanUp: (() => Promise<unknown>)[] = [];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'voice-test-'));
});
afterEach(async () => {
  for (const clean of cleanUp.splice(0)) await clean();
  await rm(folder, { recursive: true, force: true });
});

const key = 'sk-test-0123456789abcdef';
const oggOpus = Buffer.concat([
  Buffer.from('OggS\0\u0002'),
  Buffer.alloc(22),
  Buffer.from('OpusHead'),
  Buffer.alloc(40),
]);
const recording: Recording = { name: 'file_1.oga', mediaType: 'audio/ogg', content: oggOpus, sizeBytes: null };
const env = { PATH: process.env['PATH'] ?? '' };
const never = new AbortController().signal;

async function serve(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

async function aimock(set: (mock: LLMock) => void): Promise<string> {
  const mock = new LLMock({ port: 0 });
  set(mock);
  await mock.start();
  cleanUp.push(() => mock.stop());
  return `${mock.url}/v1`;
}

const answering = (status: number, body: string | Buffer, type = 'application/json') =>
  serve((request, response) => {
    request.resume().on('end', () => response.writeHead(status, { 'content-type': type }).end(body));
  });
const hanging = () => serve((request) => void request.resume());

async function program(name: string, source: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `#!${process.execPath}\n${source}`);
  await chmod(file, 0o755);
  return file;
}

describe('transcription by an endpoint', () => {
  const by = (baseUrl: string, more: { timeoutMs?: number; maxBytes?: number } = {}) =>
    createTranscriber({
      engine: { kind: 'endpoint', baseUrl, apiKey: key, model: 'whisper-1', language: 'de' },
      timeoutMs: 10_000,
      ...more,
    });

  it('gives the text', async () => {
    const baseUrl = await aimock((mock) => mock.onTranscription({ transcription: { text: ' Guten Tag ' } }));
    expect(await by(baseUrl)(recording, never)).toBe('Guten Tag');
  });

  it('sends the audio as voice.ogg with model, language and key', async () => {
    let seen = '';
    const baseUrl = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        seen = `${request.headers.authorization ?? ''}\n${Buffer.concat(chunks).toString('latin1')}`;
        response.setHeader('content-type', 'application/json').end('{"text":"ok"}');
      });
    });
    const content = Readable.from([oggOpus.subarray(0, 10), oggOpus.subarray(10)]);
    expect(await by(baseUrl)({ ...recording, content }, never)).toBe('ok');
    expect(seen).toContain(`Bearer ${key}`);
    expect(seen).toContain('filename="voice.ogg"');
    expect(seen).toMatch(/name="language"\s+de/);
    expect(seen).toContain(oggOpus.toString('latin1'));
  });

  it.each([
    ['5xx', 503, '{"error":{"message":"busy"}}', true],
    ['a wrong key, which is not told', 401, JSON.stringify({ error: { message: `bad key ${key}` } }), false],
    ['a page of a proxy', 200, '<html>welcome</html>', true],
    ['JSON without text', 200, '{"txt":"x"}', true],
    ['an empty transcript', 200, '{"text":" "}', false],
  ])('%s is a failure', async (_, status, body, retryable) => {
    const baseUrl = await answering(status, body);
    const error: unknown = await by(baseUrl)(recording, never).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'Voice.TranscriptionFailed', retryable });
    expect(String(error)).not.toContain(key);
  });

  it('is tried once only', async () => {
    let requests = 0;
    const baseUrl = await serve((request, response) => {
      requests += 1;
      request.resume().on('end', () => response.writeHead(500).end());
    });
    await expect(by(baseUrl)(recording, never)).rejects.toMatchObject({ retryable: true });
    expect(requests).toBe(1);
  });

  it('gives up on an endpoint that hangs, and on one that is not there', async () => {
    const failure = { code: 'Voice.TranscriptionFailed', retryable: true };
    await expect(by(await hanging(), { timeoutMs: 200 })(recording, never)).rejects.toMatchObject(failure);
    await expect(by('http://127.0.0.1:1/v1')(recording, never)).rejects.toMatchObject(failure);
  });

  it('gives up on a download that hangs', async () => {
    const content = new Readable({ read: () => undefined });
    const baseUrl = await answering(200, '{"text":"x"}');
    await expect(by(baseUrl, { timeoutMs: 200 })({ ...recording, content }, never)).rejects.toMatchObject({
      code: 'Voice.TranscriptionFailed',
    });
    expect(content.destroyed).toBe(true);
  });

  it('stops with the reason of the signal', async () => {
    const stop = new AbortController();
    const reason = new Error('stopped');
    const under = by(await hanging())(recording, stop.signal);
    stop.abort(reason);
    await expect(under).rejects.toBe(reason);
  });

  it.each([
    ['by its announced size', { ...recording, sizeBytes: 1000 }],
    ['while it is read', { ...recording, content: Readable.from([Buffer.alloc(60), Buffer.alloc(60)]) }],
  ])('refuses a recording that is too large %s', async (_, large) => {
    const baseUrl = await answering(200, '{"text":"x"}');
    await expect(by(baseUrl, { maxBytes: 100 })(large, never)).rejects.toMatchObject({
      retryable: false,
      details: { reason: 'too-large' },
    });
  });
});

describe('transcription by a command', () => {
  const by = (command: string, timeoutMs = 10_000) =>
    createTranscriber({ engine: { kind: 'command', command, env: { ...env, TMPDIR: folder } }, timeoutMs });

  it('gives what the command prints for the file', async () => {
    const file = await program(
      'print',
      `const bytes = require('fs').readFileSync(process.argv[3]);
       console.log(process.argv[2], process.argv[3].split('/').pop(), bytes.length);`,
    );
    expect(await by(`${file} -nt {file}`)(recording, never)).toBe(`-nt voice.ogg ${oggOpus.length}`);
  });

  it('runs no shell', async () => {
    const file = await program('args', 'console.log(JSON.stringify(process.argv.slice(2, -1)))');
    const marker = join(folder, 'made');
    const text = await by(`${file} ; "$(touch ${marker})" && touch ${marker} {file}`)(recording, never);
    expect(JSON.parse(text)).toEqual([';', `$(touch ${marker})`, '&&', 'touch', marker]);
    expect(await readdir(folder)).not.toContain('made');
  });

  it('tells the last words of a command that fails', async () => {
    const file = await program('fail', `console.error('no such model'); process.exit(3)`);
    await expect(by(`${file} {file}`)(recording, never)).rejects.toMatchObject({
      code: 'Voice.TranscriptionFailed',
      message: expect.stringMatching(/exit code 3.*no such model/) as string,
    });
  });

  it.each([
    ['is not there', '/nowhere/whisper {file}'],
    ['has no place for the file', 'cat'],
    ['has an open quote', 'cat "{file}'],
  ])('refuses a command that %s', async (_, command) => {
    await expect(by(command)(recording, never)).rejects.toMatchObject({ retryable: false });
  });

  it('ends a command that takes too long, with what it started', async () => {
    const pidFile = join(folder, 'pid');
    const file = await program(
      'hang',
      `const child = require('child_process').spawn('sleep', ['60']);
       require('fs').writeFileSync('${pidFile}', String(child.pid)); setInterval(() => 0, 1000);`,
    );
    await expect(by(`${file} {file}`, 1500)(recording, never)).rejects.toMatchObject({ retryable: true });
    const pid = Number(await readFile(pidFile, 'utf8'));
    await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
  });

  it('ends a command that writes without end', async () => {
    const file = await program('flood', `const x = 'x'.repeat(65536); (function f() { process.stdout.write(x, f) })()`);
    await expect(by(`${file} {file}`)(recording, never)).rejects.toMatchObject({ retryable: false });
  });
});

async function isAlive(pid: number): Promise<boolean> {
  try {
    return !/^State:\s+Z/m.test(await readFile(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}

it('words of a command are read with quotes and backslashes', () => {
  expect(commandWords(String.raw`a  "b \"c" 'd\e' f\ g ''`)).toEqual(['a', 'b "c', String.raw`d\e`, 'f g', '']);
  expect(commandWords('a "b')).toBeNull();
});

describe('speech', () => {
  const by = (baseUrl: string, more: Partial<SpeechOptions> = {}) =>
    createSpeaker({
      baseUrl,
      apiKey: key,
      model: 'tts-1',
      voice: 'alloy',
      timeoutMs: 10_000,
      ffmpeg: { file: '/nowhere/ffmpeg', env },
      ...more,
    });

  it('gives Ogg/Opus as the endpoint made it', async () => {
    const baseUrl = await aimock((mock) =>
      mock.onSpeech(/hello/, { audio: oggOpus.toString('base64'), format: 'opus' }),
    );
    expect(await by(baseUrl)('hello there', never)).toEqual(oggOpus);
  });

  it('converts another format by ffmpeg', async () => {
    const ffmpeg = await program(
      'ffmpeg',
      `const input = require('fs').readFileSync(0);
       if (input.toString() !== 'ID3mp3' || !process.argv.includes('libopus')) process.exit(1);
       process.stdout.write(Buffer.from('${oggOpus.toString('base64')}', 'base64'));`,
    );
    const baseUrl = await answering(200, 'ID3mp3', 'audio/mpeg');
    expect(await by(baseUrl, { ffmpeg: { file: ffmpeg, env } })('hello', never)).toEqual(oggOpus);
    await expect(by(baseUrl)('hello', never)).rejects.toMatchObject({
      code: 'Voice.SpeechFailed',
      retryable: false,
      message: expect.stringContaining('audio/mpeg') as string,
    });
  });

  it.each([
    ['5xx', 502, '', 'text/plain', true],
    ['an unknown voice', 400, '{"error":{"message":"no such voice"}}', 'application/json', false],
    ['JSON for audio', 200, '{"ok":true}', 'application/json', true],
    ['nothing', 200, '', 'audio/ogg', true],
  ])('%s is a failure', async (_, status, body, type, retryable) => {
    const baseUrl = await answering(status, body, type);
    await expect(by(baseUrl)('hello', never)).rejects.toMatchObject({ code: 'Voice.SpeechFailed', retryable });
  });

  it('refuses what is too long to say, and answers that are too large', async () => {
    const baseUrl = await answering(200, oggOpus, 'audio/ogg');
    await expect(by(baseUrl)('x'.repeat(5000), never)).rejects.toMatchObject({ retryable: false });
    await expect(by(baseUrl, { maxBytes: 20 })('hello', never)).rejects.toMatchObject({ retryable: false });
  });

  it('gives up on an endpoint that hangs', async () => {
    await expect(by(await hanging(), { timeoutMs: 200 })('hello', never)).rejects.toMatchObject({ retryable: true });
  });
});
