import { describe, expect, it } from 'vitest';
import type { FailureType } from '../../../src/contracts/failure-types.ts';
import { PortError, type PortErrorOptions } from '../../../src/lib/port-error.ts';
import { generateWithFallback, type ModelCandidate } from '../../../src/models/fallback.ts';
import type { ModelAnswer } from '../../../src/models/provider.ts';

const request = { system: '', messages: [{ role: 'user', text: 'hi' }], tools: [] } as const;
const asked: string[] = [];

function candidate(label: string, act: (say: (text: string) => void) => ModelAnswer | PortError): ModelCandidate {
  return {
    label,
    model: `model of ${label}`,
    open: () => ({
      id: label,
      listModels: () => Promise.resolve([]),
      generate: (given, control) => {
        asked.push(given.model);
        const outcome = act((text) => control.onDelta({ channel: 'answer', text }));
        return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
      },
    }),
  };
}

const answer = (text: string): ModelAnswer => ({
  text,
  reasoning: '',
  toolCalls: [],
  usage: { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0 },
  finishReason: 'stop',
  model: 'm',
});
const works = (label: string) => candidate(label, () => answer(`by ${label}`));
const fails = (label: string, code: FailureType, options: PortErrorOptions = {}) =>
  candidate(label, () => new PortError(code, `${label} failed.`, options));

async function run(chain: readonly ModelCandidate[], options: { reset?: boolean; signal?: AbortSignal } = {}) {
  asked.length = 0;
  const notices: string[] = [];
  const heard: string[] = [];
  const outcome = await generateWithFallback(chain, request, {
    signal: options.signal ?? new AbortController().signal,
    onDelta: (delta) => heard.push(delta.text),
    ...(options.reset === false ? {} : { onReset: (notice) => notices.push(notice) }),
  }).catch((error: unknown) => error);
  return { outcome, notices, heard };
}

describe('a chain of models', () => {
  it('is not entered where the first one answers', async () => {
    const { outcome, notices } = await run([works('a'), works('b')]);
    expect(outcome).toMatchObject({ answer: { text: 'by a' }, candidate: { label: 'a' }, failed: [] });
    expect(asked).toEqual(['model of a']);
    expect(notices).toEqual([]);
  });

  it.each<[FailureType, PortErrorOptions?]>([
    ['Model.Authentication'],
    ['Model.QuotaExceeded'],
    ['Model.RateLimited'],
    ['Model.Overloaded'],
    ['Model.Unavailable'],
    ['Model.Timeout'],
    ['Model.Stalled'],
    ['Model.InvalidRequest', { details: { reason: 'model-not-found' } }],
  ])('goes on after %s and says which one answered', async (code, options) => {
    const { outcome, notices } = await run([fails('a', code, options), works('b')]);
    expect(outcome).toMatchObject({ answer: { text: 'by b' }, candidate: { label: 'b' }, failed: ['a'] });
    expect(notices).toEqual(['a failed. Trying b.']);
  });

  it.each<FailureType>(['Model.ContextTooLong', 'Model.Refused', 'Model.InvalidRequest', 'Model.BadAnswer'])(
    'ends at %s',
    async (code) => {
      const { outcome } = await run([fails('a', code), works('b')]);
      expect(outcome).toMatchObject({ code });
      expect(asked).toEqual(['model of a']);
    },
  );

  it('passes over a model that cannot even be opened', async () => {
    const closed: ModelCandidate = {
      ...works('a'),
      open: () => {
        throw new PortError('Model.NotConfigured', 'a needs a key.');
      },
    };
    expect((await run([closed, works('b')])).outcome).toMatchObject({ candidate: { label: 'b' } });
  });

  it('ends with an abort, whatever the model made of it', async () => {
    const controller = new AbortController();
    const aborted = candidate('a', () => {
      controller.abort(new Error('enough'));
      return new PortError('Model.Unavailable', 'cut');
    });
    const { outcome } = await run([aborted, works('b')], { signal: controller.signal });
    expect(outcome).toMatchObject({ message: 'cut' });
    expect(asked).toEqual(['model of a']);
  });

  it('starts over after shown words only where the caller can take them back', async () => {
    const chain = [
      candidate('a', (say) => {
        say('Once upon');
        return new PortError('Model.Unavailable', 'a broke off.');
      }),
      works('b'),
    ];
    expect((await run(chain, { reset: false })).outcome).toMatchObject({ message: 'a broke off.' });
    const { outcome, notices, heard } = await run(chain);
    expect(outcome).toMatchObject({ answer: { text: 'by b' } });
    expect(heard).toEqual(['Once upon']);
    expect(notices).toHaveLength(1);
  });
});

describe('a chain of which all fail', () => {
  it('ends with the first failure a retry may heal, after the shortest wait', async () => {
    const { outcome } = await run([
      fails('a', 'Model.Authentication'),
      fails('b', 'Model.RateLimited', { retryAfterMs: 9000 }),
      fails('c', 'Model.RateLimited', { retryAfterMs: 2000 }),
    ]);
    expect(outcome).toMatchObject({ code: 'Model.RateLimited', retryable: true, retryAfterMs: 2000 });
    expect((outcome as Error).message).toBe('b failed. Also tried: a, c.');
  });

  it('names no wait where one of them may be back at once', async () => {
    const { outcome } = await run([
      fails('a', 'Model.RateLimited', { retryAfterMs: 9000 }),
      fails('b', 'Model.Unavailable'),
    ]);
    expect(outcome).toMatchObject({ code: 'Model.RateLimited', retryAfterMs: undefined });
  });

  it('ends with the first failure where no retry helps', async () => {
    const { outcome } = await run([fails('a', 'Model.QuotaExceeded'), fails('b', 'Model.Authentication')]);
    expect(outcome).toMatchObject({ code: 'Model.QuotaExceeded', retryable: false });
  });

  it('says so where there is none', async () => {
    expect((await run([])).outcome).toMatchObject({ code: 'Model.NotConfigured' });
  });
});
