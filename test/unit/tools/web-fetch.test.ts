import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../../src/tools/web/address-guard.ts';
import { fetchPage, type FetchLimits } from '../../../src/tools/web/http-fetch.ts';
import { openToolBench, type ToolBench } from './support/tool-bench.ts';

const article = `<!doctype html><html><head><title>Tea &amp; time</title><style>p{}</style></head><body>
<nav><a href="/home">Home</a><a href="/about">About us</a></nav>
<article><h1>On tea</h1><p>${'Tea takes time, and time takes tea. '.repeat(20)}</p>
<p>See <a href="/more?x=1">more</a> and <code>brew()</code>.</p><ul><li>one</li><li>two</li></ul></article>
<script>alert('no')</script><footer>Imprint</footer></body></html>`;

const pages: Readonly<Record<string, (response: ServerResponse, request: IncomingMessage) => void>> = {
  '/article': (response) => response.setHeader('content-type', 'text/html; charset=utf-8').end(article),
  '/fragment': (response) => response.setHeader('content-type', 'text/html').end('<p>only a <b>piece</b></p>'),
  '/latin': (response) =>
    response
      .setHeader('content-type', 'text/html')
      .end(Buffer.from('<meta charset="iso-8859-1"><p>caf\xe9</p>', 'latin1')),
  '/text': (response) => response.setHeader('content-type', 'text/plain').end('a < b\n  c'),
  '/json': (response) => response.setHeader('content-type', 'application/json').end('{"a":1}'),
  '/gzip': (response) =>
    response.setHeader('content-type', 'text/plain').setHeader('content-encoding', 'gzip').end(gzipSync('zipped')),
  '/bomb': (response) =>
    response
      .setHeader('content-type', 'text/plain')
      .setHeader('content-encoding', 'br')
      .end(brotliCompressSync(Buffer.alloc(50_000_000, 'x'))),
  '/image': (response) => response.setHeader('content-type', 'image/png').end(Buffer.alloc(2_048)),
  '/missing': (response) => response.writeHead(404, { 'content-type': 'text/plain' }).end('not here'),
  '/moved': (response) => response.writeHead(302, { location: '/text' }).end(),
  '/loop': (response) => response.writeHead(302, { location: '/loop' }).end(),
  '/to-file': (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/slow': () => undefined,
  '/drip': (response) => {
    response.setHeader('content-type', 'text/plain').write('x');
  },
};

let bench: ToolBench;
let base = '';
let port = 0;
const seen: string[] = [];
const server = createServer((request, response) => {
  seen.push(`${request.socket.localAddress ?? ''}${request.url ?? ''}`);
  const page = pages[request.url ?? ''];
  if (page !== undefined) page(response, request);
  else if (request.url?.startsWith('/to?') === true) {
    response.writeHead(302, { location: decodeURIComponent(request.url.slice(4)) }).end();
  } else response.writeHead(404).end();
});

beforeAll(async () => {
  bench = await openToolBench();
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  ({ port } = server.address() as AddressInfo);
  base = `http://127.0.0.1:${String(port)}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await bench.close();
});

const limits = (more: Partial<FetchLimits> = {}): FetchLimits => ({
  maxBytes: 100_000,
  maxRedirects: 3,
  timeoutMs: 5_000,
  ...more,
});
const never = new AbortController().signal;

describe('web_fetch', () => {
  it('reads an article as Markdown, without menus and scripts', async () => {
    const { status, text, preview } = await bench.call('web_fetch', { url: `${base}/article` });
    expect(status).toBe('ok');
    expect(text).toContain(`Title: Tea & time\nURL: ${base}/article`);
    expect(text).toContain('Tea takes time');
    expect(text).toContain(`[more](${base}/more?x=1)`);
    expect(text).toContain('`brew()`');
    expect(text).not.toMatch(/alert|Imprint|About us/);
    expect(preview).toContain('Tea & time');
  });

  it('reads fragments, other character sets, plain text, JSON and compressed pages', async () => {
    const body = async (path: string): Promise<string> =>
      (await bench.call('web_fetch', { url: base + path })).text.split('\n\n').slice(1).join('\n\n');
    expect(await body('/fragment')).toBe('only a **piece**');
    expect(await body('/latin')).toBe('café');
    expect(await body('/text')).toBe('a < b\n  c');
    expect(await body('/json')).toBe('{"a":1}');
    expect(await body('/gzip')).toBe('zipped');
  });

  it('follows redirects and shows where they led', async () => {
    expect((await bench.call('web_fetch', { url: `${base}/moved` })).text).toContain(`URL: ${base}/text`);
  });

  it('stops at the size limit, also inside compressed data', async () => {
    const { text } = await bench.call('web_fetch', { url: `${base}/bomb` });
    expect(text.length).toBeLessThan(1_001_000);
    expect(text).toContain('The page goes on');
  });

  it.each([
    ['/image', 'Not text: image/png, 2.0 KB'],
    ['/missing', 'The server answered 404'],
    ['/loop', 'More than 3 redirects'],
    ['/to-file', 'Only http and https'],
  ])('tells the model why %s gives nothing', async (path, words) => {
    const result = await bench.call('web_fetch', { url: base + path });
    expect(result.status).toBe('error');
    expect(result.text).toContain(words);
  });

  it.each(['ftp://x.example/a', 'file:///etc/passwd', 'not a url', 'http://user:pass@x.example/'])(
    'does not fetch %s',
    async (url) => {
      expect((await bench.call('web_fetch', { url })).status).toBe('error');
    },
  );

  it('refuses loopback by default, by address and by name', async () => {
    const web = { allowPrivateAddresses: false, maxBytes: 1_000, maxRedirects: 3, timeoutMs: 5_000 };
    const before = seen.length;
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '2130706433', '0x7f.1']) {
      const result = await bench.call(
        'web_fetch',
        { url: `http://${host}:${String(port)}/text` },
        { settings: { web } },
      );
      expect(result.text).toContain('private address');
    }
    expect(seen.length).toBe(before);
  });

  it('rejects with the reason when it is stopped', async () => {
    const stop = new AbortController();
    const running = bench.call('web_fetch', { url: `${base}/slow` }, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped')), 100);
    await expect(running).rejects.toThrow('stopped');
  });
});

describe('fetchPage', () => {
  it.each(['/slow', '/drip'])('gives up on a server that does not finish (%s)', async (path) => {
    const loopback = limits({ timeoutMs: 300, mayConnect: () => true });
    await expect(fetchPage(base + path, loopback, never)).rejects.toThrow('No answer within 0.3 s');
  });

  it('checks the address again on every redirect', async () => {
    const target = `http://127.0.0.2:${String(port)}/text`;
    const one = limits({ mayConnect: (address) => address === '127.0.0.1' });
    const before = seen.length;
    await expect(fetchPage(`${base}/to?${encodeURIComponent(target)}`, one, never)).rejects.toThrow('private address');
    expect(seen.slice(before)).toHaveLength(1);
  });

  it('connects to the address it has checked, whatever the name says later', async () => {
    let asked = 0;
    const resolve = (): Promise<{ address: string; family: 4 }[]> => {
      asked += 1;
      return Promise.resolve([{ address: asked === 1 ? '127.0.0.3' : '127.0.0.4', family: 4 as const }]);
    };
    const before = seen.length;
    const page = await fetchPage(
      `http://rebind.example:${String(port)}/text`,
      limits({ resolve, mayConnect: (address) => address === '127.0.0.3' }),
      never,
    );
    expect(page.bytes.toString()).toBe('a < b\n  c');
    expect(asked).toBe(1);
    expect(seen.slice(before)).toEqual(['127.0.0.3/text']);
  });

  it('refuses a name of which only one address is private', async () => {
    const resolve = () =>
      Promise.resolve([
        { address: '93.184.216.34', family: 4 as const },
        { address: '10.0.0.1', family: 4 as const },
      ]);
    await expect(fetchPage('http://mixed.example/', limits({ resolve }), never)).rejects.toThrow('private address');
  });
});

describe('isPublicAddress', () => {
  it.each(['93.184.216.34', '1.1.1.1', '2606:4700:4700::1111'])('accepts %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    '127.0.0.1',
    '127.9.9.9',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd00:ec2::254',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    '2002:7f00:1::',
    'ff02::1',
    'not an address',
  ])('refuses %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});
