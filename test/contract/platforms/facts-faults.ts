import { describe, expect, it } from 'vitest';
import type { FailureType } from '../../../src/contracts/failure-types.ts';
import type { PlatformFault } from '../../support/platforms/platform-server.ts';
import { itIf } from '../backends/fact-if.ts';
import { addressOf } from './bench.ts';
import type { Subject } from './conformance.ts';

/** What is shown nowhere, so that one try is enough to know. */
const refusals: readonly { readonly fault: PlatformFault; readonly code: FailureType }[] = [
  { fault: { kind: 'rate-limit', retryAfterMs: 2_000 }, code: 'Platform.RateLimited' },
  { fault: { kind: 'refused-token' }, code: 'Platform.Authentication' },
  { fault: { kind: 'recipient-gone' }, code: 'Platform.RecipientGone' },
  { fault: { kind: 'rejected' }, code: 'Platform.MessageRejected' },
];
const troubles: readonly PlatformFault[] = [
  { kind: 'rate-limit', retryAfterMs: 1_000 },
  { kind: 'server-error' },
  { kind: 'cut' },
  { kind: 'accepted-then-cut' },
];

export function faultFacts(subject: Subject): void {
  const { cast, bench, descriptor } = subject;
  const { capabilities } = descriptor;
  const to = addressOf(cast.direct);
  const options = () => ({ key: bench().key(), signal: AbortSignal.timeout(20_000) });
  const outbound = () => bench().connection().outbound;
  const shown = (text: string) =>
    bench()
      .server.messages(cast.direct)
      .filter((seen) => seen.text === text).length;
  const greeted = async () => {
    await bench().server.says({ chat: cast.direct, from: cast.anna, text: 'hello' });
    await bench().message('hello');
  };

  describe('when sending fails', () => {
    for (const { fault, code } of refusals) {
      itIf(subject.has(`fault-${fault.kind}`))(`${fault.kind} is told as ${code}, after one try`, async () => {
        await greeted();
        bench().server.fail(fault);
        const error = await bench().refusal(outbound().sendText(to, { text: 'no luck' }, options()));
        expect(error.code).toBe(code);
        if (fault.kind === 'rate-limit') {
          expect(error.retryAfterMs).toBeGreaterThanOrEqual(1_000);
          expect(error.retryAfterMs).toBeLessThanOrEqual(4_000);
        }
        expect(shown('no luck')).toBe(0);
        await outbound().sendText(to, { text: 'luck' }, options());
        expect(shown('luck')).toBe(1);
      });
    }

    for (const fault of troubles) {
      itIf(subject.has(`fault-${fault.kind}`))(`${fault.kind}: the outbox shows the text at most once`, async () => {
        await greeted();
        bench().server.fail(fault);
        const messageId = await bench().deliver(to, 'whatever comes');
        if (messageId === null) expect(shown('whatever comes')).toBeLessThanOrEqual(1);
        else
          expect(
            bench()
              .server.messages(cast.direct)
              .filter(({ id }) => id === messageId),
          ).toHaveLength(1);
        expect(shown('whatever comes')).toBeLessThanOrEqual(1);
        // A platform with a key of its own, or that can be asked, leaves nothing open.
        if (capabilities.sendsOnce !== 'none') expect(shown('whatever comes')).toBe(1);
      });
    }

    itIf(subject.has('fault-server-error'))('an error of the platform is told as such', async () => {
      await greeted();
      bench().server.fail({ kind: 'server-error' });
      const error = await bench().refusal(outbound().sendText(to, { text: 'no luck' }, options()));
      expect(['Platform.Unavailable', 'Platform.Ambiguous']).toContain(error.code);
    });

    itIf(subject.has('fault-accepted-then-cut'))('a text that went out without an answer is ambiguous', async () => {
      await greeted();
      bench().server.fail({ kind: 'accepted-then-cut' });
      const error = await bench().refusal(outbound().sendText(to, { text: 'perhaps' }, options()));
      expect(error.code).toBe('Platform.Ambiguous');
      expect(shown('perhaps')).toBe(1);
    });

    itIf(subject.has('fault-hang'))('a call that is given up while it is under way is ambiguous', async () => {
      await greeted();
      bench().server.fail({ kind: 'hang' });
      const began = Date.now();
      const given = { key: bench().key(), signal: AbortSignal.timeout(700) };
      const error = await bench().refusal(outbound().sendText(to, { text: 'perhaps' }, given));
      expect(error.code).toBe('Platform.Ambiguous');
      expect(Date.now() - began).toBeLessThan(5_000);
    });

    it('a call that is given up beforehand sends nothing', async () => {
      await greeted();
      const given = { key: bench().key(), signal: AbortSignal.abort() };
      const error = await bench().refusal(outbound().sendText(to, { text: 'never' }, given));
      expect(error.code).toBe('Platform.Unavailable');
      expect(shown('never')).toBe(0);
    });

    itIf(capabilities.sendsOnce === 'native')('the same key twice shows one message', async () => {
      await greeted();
      const given = options();
      const first = await outbound().sendText(to, { text: 'only one' }, given);
      const second = await outbound().sendText(to, { text: 'only one' }, given);
      expect(second.messageId).toBe(first.messageId);
      expect(shown('only one')).toBe(1);
    });

    itIf(capabilities.sendsOnce === 'reconcile')('what became of a key can be asked', async () => {
      await greeted();
      const sinceAt = new Date(Date.now() - 60_000).toISOString();
      const given = options();
      const { messageId } = await outbound().sendText(to, { text: 'looked for' }, given);
      expect(await outbound().reconcile(to, given.key, sinceAt)).toEqual({ state: 'sent', messageId });
      const never = await outbound().reconcile(to, bench().key(), sinceAt);
      expect(['absent', 'unknown']).toContain(never.state);
    });

    itIf(capabilities.edits && subject.has('fault-accepted-then-cut'))(
      'an edit can be repeated after any trouble',
      async () => {
        await greeted();
        const { messageId } = await outbound().sendText(to, { text: 'thinking' }, options());
        for (const fault of troubles) {
          if (!subject.has(`fault-${fault.kind}`)) continue;
          bench().server.fail(fault);
          const error = await bench().refusal(
            outbound().edit(to, messageId, { text: `after ${fault.kind}` }, options()),
          );
          expect(error.code).toMatch(/^Platform\.(RateLimited|Unavailable|Ambiguous)$/);
          await outbound().edit(to, messageId, { text: `after ${fault.kind}` }, options());
          expect(bench().server.messages(cast.direct)[0]?.text).toBe(`after ${fault.kind}`);
        }
        expect(bench().server.messages(cast.direct)).toHaveLength(1);
      },
    );

    it('a platform that is not there is told as unavailable, and nothing was sent', async () => {
      await greeted();
      await bench().server.stop();
      // Until the client has noticed that its idle connections are gone.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const error = await bench().refusal(outbound().sendText(to, { text: 'nobody there' }, options()));
      expect(error.code).toBe('Platform.Unavailable');
    });
  });
}
