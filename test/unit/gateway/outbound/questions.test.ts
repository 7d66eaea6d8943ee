import { describe, expect, it } from 'vitest';
import { choicesOf } from '../../../../src/gateway/outbound/choices.ts';
import { openOutboundBench, ScriptedPlatform, until } from './scripted-chat.ts';
import { RunningTurn } from './running-turn.ts';

const asked = (platform: ScriptedPlatform): Promise<unknown> =>
  until(
    () => platform.shown.length,
    (count) => count === 1,
  );
const labels = (platform: ScriptedPlatform): readonly string[] =>
  platform.shown[0]?.buttons.map(({ label }) => label) ?? [];

describe('an approval', () => {
  it('is asked with buttons that mean the same after a restart, and redrawn when it is decided', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    const first = bench.boot();
    const turn = await RunningTurn.begin(bench);
    const id = await turn.asks({ ruleKey: 'rm' });
    await asked(platform);
    expect(labels(platform)).toEqual(['Approve', 'This conversation', 'Always', 'Deny']);
    const [token = '', index] = platform.shown[0]?.buttons[2]?.data.split(':') ?? [];
    expect(index).toBe('2');
    await first.stop();
    const second = bench.boot();
    const button = await second.buttonOf(token);
    expect(button?.approvalId).toBe(id);
    expect(button?.choices[2]).toEqual({ label: 'Always', decision: 'approve', scope: 'always' });
    expect(await second.buttonOf('0123456789abcdef')).toBeNull();
    platform.fates.push('Platform.Unavailable', { code: 'Platform.RateLimited', retryAfterMs: 10 });
    await turn.decides(id, 'approve');
    await until(
      () => labels(platform),
      (left) => left.length === 0,
    );
    expect(platform.texts).toEqual(['Delete it?\n\nrm x\n\n✅ Approved, always']);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(platform.shown[0]?.edits).toBe(1);
  });

  it('whose sending was in doubt is certain once somebody presses its button, and is redrawn', async () => {
    const platform = new ScriptedPlatform({ sendsOnce: 'none' });
    platform.fates.push({ code: 'Platform.Ambiguous', arrives: true });
    const bench = await openOutboundBench({ chat: platform });
    const outbound = bench.boot();
    const turn = await RunningTurn.begin(bench);
    const id = await turn.asks();
    await until(
      () => outbound.get(id),
      (row) => row?.state === 'ambiguous',
    );
    const [shown] = platform.shown;
    await outbound.buttonOf(shown?.buttons[0]?.data.split(':')[0] ?? '', shown?.id);
    expect(await outbound.get(id)).toMatchObject({ state: 'sent', error: null });
    await turn.decides(id, 'approve');
    await until(
      () => labels(platform),
      (left) => left.length === 0,
    );
    expect(await outbound.problems(10)).toEqual([]);
  });

  it('that was decided while the gateway was away is redrawn when it comes back', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    const first = bench.boot();
    const turn = await RunningTurn.begin(bench);
    const id = await turn.asks();
    await asked(platform);
    expect(labels(platform)).toEqual(['Approve', 'Deny']);
    await first.stop();
    await bench.store.approvals.close(id, 'interrupted');
    bench.boot();
    await until(
      () => platform.texts[0],
      (text) => text?.includes('No longer needed') === true,
    );
    expect(labels(platform)).toEqual([]);
  });

  it('that was decided before it could be asked is not asked', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    const turn = await RunningTurn.begin(bench);
    const id = await turn.asks();
    await turn.decides(id, 'deny');
    bench.boot();
    await until(
      () => bench.store.outbox.get(id),
      (row) => row?.state === 'dropped',
    );
    expect(platform.texts).toEqual([]);
  });

  it('says the words to answer with where there are no buttons, and is left as it is without edits', async () => {
    const platform = new ScriptedPlatform({ buttons: 0, edits: false });
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    const turn = await RunningTurn.begin(bench);
    const id = await turn.asks({ ruleKey: 'rm' });
    await asked(platform);
    expect(platform.texts[0]).toMatch(/Answer yes, for this conversation, always or no\./u);
    await turn.decides(id, 'approve');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(platform.calls).toHaveLength(1);
  });
});

it('a question has its choices as buttons, and is redrawn with the answer', async () => {
  const platform = new ScriptedPlatform();
  const bench = await openOutboundBench({ chat: platform });
  bench.boot();
  const turn = await RunningTurn.begin(bench);
  const id = await turn.asks({ choices: ['tea', 'coffee'], title: 'Which?' });
  await asked(platform);
  expect(labels(platform)).toEqual(['tea', 'coffee']);
  await turn.decides(id, 'answer', 'neither s3cret');
  await until(
    () => platform.texts[0],
    (text) => text?.endsWith('✅ neither [hidden]') === true,
  );
});

describe('choices', () => {
  const question = (...choices: string[]): Parameters<typeof choicesOf>[0] => ({
    kind: 'question',
    choices,
    ruleKey: null,
  });

  it('become a numbered list where there are too many for buttons', () => {
    const { words, buttons } = choicesOf(question('a', 'b', 'c'), 2);
    expect(buttons).toEqual([]);
    expect(words).toBe('1. a\n2. b\n3. c\n\nAnswer with a number or in your own words.');
  });

  it('too long for a button are listed, with numbers on the buttons', () => {
    const long = 'a choice of more words than any button shows';
    const { words, buttons } = choicesOf(question('short', long), 3);
    expect(words).toContain(`2. ${long}`);
    expect(buttons).toMatchObject([
      { label: '1', answer: 'short' },
      { label: '2', answer: long },
    ]);
  });

  it('of an approval are as many as fit, and the others are said', () => {
    const approval = { kind: 'approval', choices: [], ruleKey: 'x' } as const;
    const labelsOf = (most: number): readonly string[] => choicesOf(approval, most).buttons.map(({ label }) => label);
    expect(labelsOf(3)).toEqual(['Approve', 'This conversation', 'Deny']);
    expect(choicesOf(approval, 3).words).toContain('always');
    expect(labelsOf(2)).toEqual(['Approve', 'Deny']);
    expect(labelsOf(1)).toEqual([]);
    expect(choicesOf({ kind: 'budget', choices: [], ruleKey: null }, 0).words).toBe('Answer yes or no.');
  });
});
