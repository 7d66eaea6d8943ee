import { describe, expect, it } from 'vitest';
import { itIf } from '../backends/fact-if.ts';
import { until } from './bench.ts';
import type { Subject } from './conformance.ts';

export function connectionFacts(subject: Subject): void {
  const { cast, bench } = subject;
  const say = (text: string) => bench().server.says({ chat: cast.direct, from: cast.anna, text });

  describe('the connection', () => {
    it('knows who it is, and gives a sign of life', async () => {
      const { id, name } = await bench().connection().identify();
      expect(id).not.toBe('');
      expect(name).not.toBe('');
      await bench().connection().probe();
    });

    itIf(subject.has('wrong-token'))('is refused with a wrong token, for good', async () => {
      const { server } = bench();
      await bench().disconnect();
      const wrong = Object.fromEntries(
        Object.entries(server.settings()).map(([name, value]) => [
          name,
          typeof value === 'string' && server.secrets().includes(value) ? `${value.slice(0, -4)}zzzz` : value,
        ]),
      );
      const connection = await bench().openWith(wrong);
      expect((await bench().refusal(connection.identify())).code).toBe('Platform.Authentication');
      const { inbox } = bench();
      const run = connection.run(inbox, AbortSignal.timeout(20_000));
      expect((await bench().refusal(run)).code).toBe('Platform.Authentication');
    });

    itIf(subject.has('connection'))('comes back after a cut without losing anything', async () => {
      await say('before the cut');
      await bench().message('before the cut');
      for (const round of [1, 2]) {
        bench().server.cutConnections();
        await say(`after cut ${round}`);
        await bench().message(`after cut ${round}`);
      }
      expect(bench().inbox.events).toHaveLength(3);
      await until('all is acknowledged', () => bench().server.unacknowledged() === 0);
    });

    itIf(subject.has('connection'))(
      'comes back after the platform was away',
      async () => {
        await say('before');
        await bench().message('before');
        await bench().server.stop();
        await new Promise((resolve) => setTimeout(resolve, 300));
        await bench().server.start();
        await say('after');
        await bench().message('after');
        expect(bench().inbox.events).toHaveLength(2);
      },
      40_000,
    );

    itIf(subject.has('connection'))(
      'gives no sign of life while it is wedged, and loses nothing when it is made anew',
      async () => {
        await say('before');
        await bench().message('before');
        bench().server.wedge(true);
        const began = Date.now();
        const error = await bench().refusal(bench().connection().probe());
        expect(error.code).toBe('Platform.Unavailable');
        expect(Date.now() - began).toBeLessThan(12_000);
        await say('meanwhile');
        bench().server.wedge(false);
        await bench().disconnect();
        await bench().connect();
        await bench().message('meanwhile');
        await bench().connection().probe();
        expect(bench().count('meanwhile')).toBe(1);
        expect(bench().count('before')).toBe(1);
      },
      40_000,
    );

    it('ends with its signal, and closing it again does nothing', async () => {
      const connection = bench().connection();
      await bench().disconnect();
      await connection.close();
      await connection.close();
      await say('nobody is there');
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(bench().inbox.events).toEqual([]);
      await bench().connect();
      await bench().message('nobody is there');
    });
  });
}
