import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { HermesClient } from '../../../src/cli/client/client.ts';
import { readEndpoint, supervisorCrashed } from '../../../src/cli/client/endpoint.ts';
import { ServiceLink } from '../../../src/cli/client/link.ts';
import { SseParser, type SseEvent } from '../../../src/cli/client/sse.ts';
import { formatTable } from '../../../src/cli/table.ts';
import { FakeApi } from '../../support/fake-api.ts';

const homes: string[] = [];
function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'hermes-client-'));
  homes.push(home);
  return home;
}
afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
});

describe('SseParser', () => {
  it('gives the same events however the text is cut', () => {
    const text =
      '\uFEFF: hello\r\n\r\nevent: a\r\ndata: one\r\ndata: two\r\n\r\ndata:x\n\nid: 7\nevent: b\ndata: {"é":1}\n\ndata: unfinished';
    const parse = (pieces: string[]): SseEvent[] => {
      const events: SseEvent[] = [];
      const parser = new SseParser((event) => events.push(event));
      for (const piece of pieces) parser.push(piece);
      return events;
    };
    const expected = [
      { event: 'a', data: 'one\ntwo', id: null },
      { event: 'message', data: 'x', id: null },
      { event: 'b', data: '{"é":1}', id: '7' },
    ];
    expect(parse([text])).toEqual(expected);
    expect(parse(Array.from({ length: text.length }, (_, at) => text.charAt(at)))).toEqual(expected);
    fc.assert(
      fc.property(fc.nat(text.length), (cut) => {
        expect(parse([text.slice(0, cut), text.slice(cut)])).toEqual(expected);
      }),
    );
  });
});

describe('the endpoint', () => {
  it('is read anew, and absent while a file is missing or half-written', () => {
    const home = newHome();
    expect(readEndpoint(home)).toBeNull();
    mkdirSync(join(home, 'run'));
    writeFileSync(join(home, 'api-token'), 'secret\n');
    writeFileSync(join(home, 'run', 'api.json'), '{"url": "http://127');
    expect(readEndpoint(home)).toBeNull();
    writeFileSync(join(home, 'run', 'api.json'), '{"url": "http://127.0.0.1:4321"}');
    expect(readEndpoint(home)).toEqual({ host: '127.0.0.1', port: 4321, token: 'secret' });
  });

  it('tells a killed supervisor from one that took its leave', () => {
    const home = newHome();
    mkdirSync(join(home, 'run'));
    const file = join(home, 'run', 'supervisor.json');
    expect(supervisorCrashed(home)).toBe(false);
    writeFileSync(file, JSON.stringify({ pid: process.pid }));
    expect(supervisorCrashed(home)).toBe(false);
    writeFileSync(file, JSON.stringify({ pid: 2 ** 22 + 1 }));
    expect(supervisorCrashed(home)).toBe(true);
  });
});

describe('ServiceLink', () => {
  function linkTo(home: string, ensureService: () => Promise<void>, outages: string[] = []): ServiceLink {
    return new ServiceLink({
      home,
      ensureService,
      report: () => undefined,
      onOutage: (state) => outages.push(state),
      announceAfterMs: 50,
    });
  }

  it('starts the service when none runs', async () => {
    const home = newHome();
    const api = new FakeApi(home, () => Promise.resolve());
    let starts = 0;
    const start = async (): Promise<void> => {
      starts += 1;
      await api.start();
    };
    const client = new HermesClient(linkTo(home, start));
    const [one, other] = await Promise.all([client.status(), client.models()]);
    expect([one.ready, other.current, starts]).toEqual([true, 'fake:one', 1]);
    client.close();
    await api.stop();
  });

  it('passes on why the service could not be started', async () => {
    const client = new HermesClient(linkTo(newHome(), () => Promise.reject(new Error('no disk'))));
    await expect(client.status()).rejects.toThrow('no disk');
    client.close();
  });

  it('waits for one that is away, says so once, and does not start it after a clean stop', async () => {
    const home = newHome();
    const api = new FakeApi(home, () => Promise.resolve());
    await api.start();
    const outages: string[] = [];
    const client = new HermesClient(linkTo(home, () => Promise.reject(new Error('must not be started')), outages));
    await client.status();
    await api.kill();
    const waiting = Promise.all([client.status(), client.conversations({ limit: 5 })]);
    await new Promise((done) => setTimeout(done, 200));
    expect(outages).toEqual(['away']);
    await api.start();
    expect((await waiting)[0].ready).toBe(true);
    expect(outages).toEqual(['away', 'back']);
    client.close();
    await api.stop();
  });

  it('repeats nothing that may have happened', async () => {
    const home = newHome();
    const api = new FakeApi(home, () => Promise.resolve());
    await api.start();
    const client = new HermesClient(linkTo(home, () => Promise.resolve()));
    await client.status();
    const create = api.agent.create.bind(api.agent);
    api.agent.create = (...wish) => {
      void api.kill();
      return create(...wish);
    };
    await expect(client.create({ title: 'x' })).rejects.toThrow('it is not known whether the request took effect');
    expect(api.agent.conversations.size).toBe(2);
    client.close();
  });

  it('takes an error of the service for an error, and only closing for an absence', async () => {
    const home = newHome();
    const api = new FakeApi(home, () => Promise.resolve());
    await api.start();
    const client = new HermesClient(linkTo(home, () => Promise.resolve()));
    const model = { error: { code: 'Model.Authentication', message: 'Wrong key.' } };
    const closing = { error: { code: 'Api.Closing', message: 'Going down.' } };
    api.overrides.push({ prefix: '/api/models', reply: [502, model], times: 1 });
    await expect(client.models()).rejects.toThrow('Wrong key.');
    api.overrides.push({ prefix: '/api/models', reply: [503, closing], times: 2 });
    expect((await client.models()).current).toBe('fake:one');
    client.close();
    await api.stop();
  });

  it('stops waiting when it is told to', async () => {
    const home = newHome();
    const api = new FakeApi(home, () => Promise.resolve());
    await api.start();
    const client = new HermesClient(linkTo(home, () => Promise.resolve()));
    await client.status();
    await api.kill();
    await expect(client.interrupt('c1', { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/i);
    client.close();
  });
});

describe('formatTable', () => {
  const columns = [{ title: 'id' }, { title: 'what', flexible: true }, { title: 'n', align: 'right' as const }];

  it('cuts flexible columns to the width and nothing else', () => {
    const table = formatTable(columns, [['abcdef', 'a long title that does not fit', '10']], 30);
    expect(table).toBe('id      what                 n\nabcdef  a long title that…  10\n');
  });

  it('keeps whole rows where nobody looks, on one line each and without controls', () => {
    expect(formatTable(columns, [['a', 'two\nlines \u001b[31mred', '1']], Infinity)).toBe(
      'id  what           n\na   two lines red  1\n',
    );
  });
});
