import { describe, expect, it } from 'vitest';
import { itIf } from '../backends/fact-if.ts';
import { until } from './bench.ts';
import type { Subject } from './conformance.ts';

export function onceFacts(subject: Subject): void {
  const { cast, bench } = subject;
  const say = (text: string, chat = cast.direct, from = cast.anna) => bench().server.says({ chat, from, text });

  describe('nothing is lost and nothing counts twice', () => {
    it('nothing is acknowledged while it is being kept, and all of it afterwards', async () => {
      const { server, inbox } = bench();
      inbox.hold(true);
      await say('held');
      await until('it is offered', () => inbox.offers.length > 0);
      // Long enough for an early acknowledgement to arrive.
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(server.unacknowledged()).toBeGreaterThan(0);
      expect(inbox.events).toHaveLength(0);
      inbox.hold(false);
      await bench().message('held');
      await until('it is acknowledged', () => server.unacknowledged() === 0);
    });

    itIf(subject.has('redelivery'))('what the inbox refuses comes again until it is kept', async () => {
      const { server, inbox } = bench();
      inbox.refuse('before');
      await say('refused at first');
      await until('it is offered', () => inbox.offers.length > 0);
      expect(server.unacknowledged()).toBeGreaterThan(0);
      inbox.refuse(null);
      await inbox.event((event) => event.kind === 'message' && event.text === 'refused at first', 30_000);
      await until('it is acknowledged', () => server.unacknowledged() === 0, 30_000);
      expect(bench().count('refused at first')).toBe(1);
    });

    itIf(subject.has('redelivery'))(
      'what was kept without an acknowledgement comes again under the same key',
      async () => {
        const { server, inbox } = bench();
        inbox.refuse('after');
        await say('kept, not acknowledged');
        await bench().message('kept, not acknowledged');
        await bench().disconnect();
        inbox.refuse(null);
        const offered = inbox.offers.length;
        await bench().connect();
        await until('it is acknowledged', () => server.unacknowledged() === 0, 30_000);
        await say('afterwards');
        await bench().message('afterwards');
        expect(inbox.offers.length).toBeGreaterThan(offered);
        expect(bench().count('kept, not acknowledged')).toBe(1);
      },
    );

    it('an event that is delivered twice is accepted once', async () => {
      await say('only once');
      await bench().message('only once');
      await bench().server.repeatLast();
      await say('the next one');
      await bench().message('the next one');
      expect(bench().count('only once')).toBe(1);
      expect(bench().inbox.events).toHaveLength(2);
    });

    it('events that come out of order are all accepted', async () => {
      bench().server.swapNext();
      await Promise.all([say('the earlier'), say('the later')]);
      await bench().message('the earlier');
      await bench().message('the later');
      await say('a third');
      await bench().message('a third');
      expect(bench().inbox.events).toHaveLength(3);
      await until('all are acknowledged', () => bench().server.unacknowledged() === 0);
    });

    it('what comes while nobody is connected is delivered afterwards, in order, once', async () => {
      await say('before the pause');
      await bench().message('before the pause');
      await until('it is acknowledged', () => bench().server.unacknowledged() === 0);
      await bench().disconnect();
      for (const text of ['away 1', 'away 2', 'away 3']) await say(text);
      await bench().connect();
      await bench().message('away 3');
      const texts = bench().inbox.events.map((event) => (event.kind === 'message' ? event.text : event.kind));
      expect(texts).toEqual(['before the pause', 'away 1', 'away 2', 'away 3']);
    });

    it('a burst in two chats keeps the order of each', async () => {
      const wanted = Array.from({ length: 15 }, (_, index) => `message ${String(index).padStart(2, '0')}`);
      const burst = async (chat: typeof cast.direct, from: typeof cast.anna) => {
        for (const text of wanted) await say(text, chat, from);
      };
      await Promise.all([burst(cast.direct, cast.anna), burst(cast.other, cast.ben)]);
      await until('all came', () => bench().inbox.events.length >= 30, 20_000);
      for (const chat of [cast.direct, cast.other]) {
        const came = bench().inbox.events.filter((event) => event.chat.id === chat.id);
        expect(came.map((event) => (event.kind === 'message' ? event.text : event.kind))).toEqual(wanted);
      }
    });
  });
}
