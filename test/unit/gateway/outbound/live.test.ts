import { describe, expect, it } from 'vitest';
import { openOutboundBench, ScriptedPlatform, until, type OutboundBench } from './scripted-chat.ts';
import { conversationId, RunningTurn } from './running-turn.ts';

const shown = (platform: ScriptedPlatform, holds: (texts: readonly string[]) => boolean): Promise<readonly string[]> =>
  until(() => platform.texts, holds);
const answered = (bench: OutboundBench): Promise<unknown> =>
  until(
    () => bench.store.outbox.get(`${conversationId}/1`),
    (row) => row !== null && !['new', 'sending'].includes(row.state),
  );
const openLives = (bench: OutboundBench): Promise<unknown> =>
  until(
    () => bench.store.outbox.openLives({ conversationId, turn: 1 }),
    (rows) => rows.length === 0,
  );
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a turn that takes a while', () => {
  it('grows in one message, which the answer replaces', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    const turn = await RunningTurn.begin(bench);
    turn.says('Once upon a s3cret');
    await shown(platform, ([text]) => text === 'Once upon a [hidden]');
    turn.says(' time there');
    await shown(platform, ([text]) => text?.endsWith('time there') === true);
    expect((await bench.store.outbox.openLives({ conversationId, turn: 1 }))[0]).toMatchObject({
      id: 'talk/1/live-1',
      parts: [{ state: 'sent', messageId: 'm1' }],
    });
    await turn.ends('Once upon a time there was **one**.');
    await answered(bench);
    expect(platform.texts).toEqual(['Once upon a time there was one.']);
    expect(await bench.store.outbox.get('talk/1')).toMatchObject({ state: 'sent', parts: [{ messageId: 'm1' }] });
    await openLives(bench);
  });

  it('shows the tool at work in one line, and the words of the newest attempt', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    const turn = await RunningTurn.begin(bench);
    turn.says('I look.');
    const done = turn.runs('run_command: npm `test`');
    await shown(platform, ([text]) => text?.includes("⏳ run_command: npm 'test'") === true);
    expect(platform.texts[0]).toMatch(/^I look\./u);
    done();
    await shown(platform, ([text]) => text?.includes('✓') === true);
    turn.nextStep();
    turn.says('It wo');
    turn.says('All', 101);
    turn.says(' good', 101);
    await shown(platform, ([text]) => text === 'All good');
    await turn.ends('All good.');
    await answered(bench);
    expect(platform.texts).toEqual(['All good.']);
  });

  it('is cut to one message while it grows, and the rest follows the answer', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    const long = ['a', 'b', 'c'].map((letter) => `${letter} `.repeat(180).trim()).join('\n\n');
    const turn = await RunningTurn.begin(bench);
    turn.says(long);
    await shown(platform, (texts) => texts.length === 1);
    expect(platform.texts[0]?.length).toBeLessThanOrEqual(400);
    await turn.ends(long);
    await answered(bench);
    expect(platform.texts.map((text) => text[0])).toEqual(['a', 'b', 'c']);
    expect(platform.shown.map(({ key }) => key)).toEqual(['talk/1/live-1/part-0', 'talk/1/part-1', 'talk/1/part-2']);
  });

  it('edits no faster than it may', async () => {
    const platform = new ScriptedPlatform({ paceMs: { chat: 100, account: 0 } });
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    const turn = await RunningTurn.begin(bench);
    for (let count = 0; count < 60; count += 1) {
      turn.says(`${count} `);
      await pause(5);
    }
    await turn.ends('over');
    await answered(bench);
    expect(platform.shown[0]?.edits).toBeGreaterThan(0);
    expect(platform.shown[0]?.edits).toBeLessThan(12);
  });

  it('shows typing while it runs, and not while it waits for the person', async () => {
    const platform = new ScriptedPlatform({ typingMs: 60, edits: false });
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    const turn = await RunningTurn.begin(bench);
    turn.says('hm');
    await until(
      () => platform.typings,
      (count) => count >= 3,
    );
    const id = await turn.asks();
    await pause(60);
    const whileWaiting = platform.typings;
    await pause(150);
    expect(platform.typings).toBe(whileWaiting);
    await turn.decides(id, 'approve');
    await until(
      () => platform.typings,
      (count) => count > whileWaiting,
    );
    await turn.ends('done');
    await answered(bench);
    const after = platform.typings;
    await pause(120);
    expect(platform.typings).toBe(after);
    expect(platform.texts.at(-1)).toBe('done');
  });

  it('that has no words at the end is completed', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    const turn = await RunningTurn.begin(bench);
    turn.runs('run_command: true');
    await shown(platform, (texts) => texts.length === 1);
    await turn.ends('');
    await openLives(bench);
    expect(platform.texts).toEqual(['Done.']);
  });

  it('whose answer goes elsewhere says so', async () => {
    const [platform, other] = [new ScriptedPlatform(), new ScriptedPlatform()];
    const bench = await openOutboundBench({ chat: platform, other });
    bench.boot();
    const turn = await RunningTurn.begin(bench);
    turn.says('The answer is');
    await shown(platform, (texts) => texts.length === 1);
    await turn.ends('The answer is 42.', { to: { platform: 'other', chat: '9' } });
    await openLives(bench);
    expect(platform.texts).toEqual(['Answered on other.']);
    expect(other.texts).toEqual(['The answer is 42.']);
  });

  it('leaves what is complete above a question, and answers below it', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    const turn = await RunningTurn.begin(bench);
    turn.says('I must delete it.');
    await shown(platform, (texts) => texts.length === 1);
    const id = await turn.asks();
    await shown(platform, (texts) => texts.length === 2);
    await turn.decides(id, 'deny');
    turn.nextStep();
    turn.says('Then not');
    await shown(platform, (texts) => texts.length === 3);
    await turn.ends('Then not.');
    await answered(bench);
    expect(platform.texts[0]).toBe('I must delete it.');
    expect(platform.texts[2]).toBe('Then not.');
  });

  it('goes on below when something else is said meanwhile', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    const outbound = bench.boot();
    const turn = await RunningTurn.begin(bench);
    turn.says('Long');
    await shown(platform, (texts) => texts.length === 1);
    await outbound.enqueue({ key: 'status', to: { platform: 'chat', chat: '1' }, text: 'busy', conversationId: null });
    await shown(platform, (texts) => texts.includes('busy'));
    turn.says(' story');
    await turn.ends('Long story.');
    await answered(bench);
    expect(platform.texts.slice(0, 2)).toEqual(['⤵️', 'busy']);
    expect(platform.texts.at(-1)).toBe('Long story.');
    expect(platform.texts).toHaveLength(3);
  });
});

it('a turn that runs since before the gateway was there is shown as typing, once its account is connected', async () => {
  const platform = new ScriptedPlatform({ typingMs: 40 });
  const bench = await openOutboundBench({ chat: platform });
  const turn = await RunningTurn.begin(bench);
  bench.boot();
  await until(
    () => platform.typings,
    (count) => count >= 2,
  );
  await turn.ends('done');
  await answered(bench);
  turn.runs('run_command: a straggler');
  await pause(100);
  const after = platform.typings;
  await pause(100);
  expect(platform.typings).toBe(after);
  expect(platform.texts).toEqual(['done']);
});

describe('nothing is shown live', () => {
  it.each([
    ['where streaming is off', {}, 'off'],
    ['where the platform cannot edit', { edits: false }, 'edit'],
  ] as const)('%s', async (_name, capabilities, streaming) => {
    const platform = new ScriptedPlatform(capabilities);
    const bench = await openOutboundBench({ chat: platform });
    bench.boot({ settings: () => ({ streaming, toolProgress: true }) });
    const turn = await RunningTurn.begin(bench);
    turn.says('a'.repeat(300));
    await pause(80);
    expect(platform.texts).toEqual([]);
    await turn.ends('b');
    await answered(bench);
    expect(platform.texts).toEqual(['b']);
  });

  it('of a quick turn, nor of one that came from no chat', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    bench.boot({ times: { liveAfterMs: 5_000 } });
    const quick = await RunningTurn.begin(bench);
    quick.says('quick');
    await pause(50);
    await quick.ends('quick');
    await answered(bench);
    const silent = await RunningTurn.begin(bench, 2, null);
    silent.says('x'.repeat(300));
    await pause(80);
    expect(platform.calls).toEqual(['send talk/1/part-0']);
  });
});

describe('a live message', () => {
  it('that the platform has lost leaves the answer a message of its own, formatting and all', async () => {
    const platform = new ScriptedPlatform({ dialect: 'telegram-html' });
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    const turn = await RunningTurn.begin(bench);
    turn.says('growing');
    await shown(platform, (texts) => texts.length === 1);
    platform.shown.length = 0;
    await turn.ends('the **answer**');
    await answered(bench);
    expect(platform.texts).toEqual(['the <b>answer</b>']);
  });

  it('is left for later when the platform asks for it', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    platform.fates.push({ code: 'Platform.RateLimited', retryAfterMs: 60 });
    const turn = await RunningTurn.begin(bench);
    turn.says('growing');
    await until(
      () => platform.calls.length,
      (calls) => calls === 1,
    );
    turn.says(' more');
    await shown(platform, ([text]) => text === 'growing more');
    platform.fates.push('Platform.Unavailable', 'Platform.Ambiguous');
    await turn.ends('grown');
    await answered(bench);
    expect(platform.texts).toEqual(['grown']);
  });

  it.each(['killed-before', 'killed-after'] as const)(
    'whose last edit is %s it arrives is shown once',
    async (fate) => {
      const platform = new ScriptedPlatform();
      const bench = await openOutboundBench({ chat: platform });
      bench.boot();
      const turn = await RunningTurn.begin(bench);
      turn.says('growing');
      await shown(platform, (texts) => texts.length === 1);
      platform.fates.push(fate);
      const calls = platform.calls.length;
      await turn.ends('grown');
      await until(
        () => platform.calls.length,
        (count) => count > calls,
      );
      await pause(20);
      bench.boot();
      await answered(bench);
      expect(platform.texts).toEqual(['grown']);
    },
  );

  it.each([
    ['killed-before', 'native', ['grown']],
    ['killed-after', 'native', ['grown']],
    ['killed-before', 'reconcile', ['grown']],
    ['killed-after', 'reconcile', ['grown']],
    ['killed-before', 'none', ['grown']],
    ['killed-after', 'none', ['growing', 'grown']],
  ] as const)('whose first send is %s it arrives leaves, with %s, %j', async (fate, sendsOnce, expected) => {
    const platform = new ScriptedPlatform({ sendsOnce });
    const bench = await openOutboundBench({ chat: platform });
    bench.boot();
    platform.fates.push(fate);
    const turn = await RunningTurn.begin(bench);
    turn.says('growing');
    await until(
      () => platform.calls.length,
      (count) => count === 1,
    );
    await pause(20);
    const second = bench.boot();
    await turn.ends('grown');
    await answered(bench);
    await openLives(bench);
    expect(platform.texts).toEqual(expected);
    const problems = (await second.problems(5)).map(({ id, state }) => [id, state]);
    expect(problems).toEqual(sendsOnce === 'none' ? [['talk/1/live-1', 'ambiguous']] : []);
  });

  it('goes on growing after a restart of the gateway, and is finished when the turn ended meanwhile', async () => {
    const platform = new ScriptedPlatform();
    const bench = await openOutboundBench({ chat: platform });
    const first = bench.boot();
    const turn = await RunningTurn.begin(bench);
    turn.says('one');
    await shown(platform, (texts) => texts.length === 1);
    await first.stop();
    bench.boot();
    turn.says(' two');
    await shown(platform, ([text]) => text === '…  two');
    turn.runs('run_command: x');
    await shown(platform, ([text]) => text?.includes('⏳') === true);
    expect(platform.texts).toHaveLength(1);
    await turn.ends('');
    await openLives(bench);
    expect(platform.texts).toEqual(['Done.']);
  });
});
