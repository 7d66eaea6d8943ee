import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createDecide } from '../../../../src/gateway/decide.ts';
import type { InboundDeps } from '../../../../src/gateway/inbound/deps.ts';
import { createInbound } from '../../../../src/gateway/inbound/inbound.ts';
import { createPairing } from '../../../../src/gateway/inbound/pairing.ts';
import type { PlatformEvent } from '../../../../src/gateway/platforms/platform.ts';
import { createSubmit } from '../../../../src/gateway/submit.ts';
import type { Store } from '../../../../src/store/ports.ts';
import { command, message, openInbound, press, soon, stranger } from './support/inbound.ts';

type Method = (...args: unknown[]) => Promise<unknown>;

/** A process that is killed right before its n-th call of anything that lasts; from then on nothing of it goes on. */
class Mortal {
  calls = 0;
  private readonly killAt: number;
  private die: () => void = () => undefined;
  readonly death = new Promise<void>((resolve) => (this.die = resolve));

  constructor(killAt: number) {
    this.killAt = killAt;
  }

  get isDead(): boolean {
    return this.calls >= this.killAt;
  }

  call(method: Method): Method {
    return (...args) => {
      if (this.isDead) return new Promise(() => undefined);
      this.calls += 1;
      if (this.calls < this.killAt) return method(...args);
      this.die();
      return new Promise(() => undefined);
    };
  }

  store(store: Store): Store {
    const mortal = (room: object): object =>
      new Proxy(room, {
        get: (target, name) => {
          const method: unknown = Reflect.get(target, name);
          return typeof method === 'function' ? this.call(method.bind(target) as Method) : method;
        },
      });
    const rooms = Object.entries(store).filter(([, room]) => typeof room === 'object');
    return Object.fromEntries(rooms.map(([name, room]) => [name, mortal(room as object)])) as unknown as Store;
  }
}

type World = Awaited<ReturnType<typeof openInbound>>;

/** The whole inbound side of a process over the store of `world`, for an account of its own. */
function processOf(world: World, account: string, said: Map<string, string>, mortal: Mortal) {
  const store = mortal.store(world.store);
  const outbox = {
    enqueue: mortal.call((message) => {
      const { key, text } = message as { key: string; text: string };
      if (!said.has(key)) said.set(key, text);
      return Promise.resolve();
    }) as InboundDeps['outbox']['enqueue'],
  };
  const approvalId = `ask:${account}`;
  return createInbound({
    ...world.deps,
    store,
    outbox,
    submit: createSubmit({ store, relay: world.relay, bus: world.bus, personId: 'anna', log: world.log }),
    decide: createDecide({ store, relay: world.relay, bus: world.bus }),
    pairing: createPairing({ store, outbox, ownerId: 'anna' }),
    account: () => ({ ...world.configured, id: account }),
    runCommand: () => Promise.resolve({ text: 'queued', message: { text: 'three', busyMode: 'queue' } }),
    buttonOf: () => Promise.resolve({ approvalId, choices: [{ label: 'Yes', decision: 'approve' }] }),
    transcribe: () => () => Promise.reject(new Error('deaf')),
    burstPauseMs: () => 20,
    scope: () => 'platform',
  });
}

async function conversationOf(world: World, account: string): Promise<string> {
  const { id } = await world.store.conversations.create({ id: `c-${account}`, personId: 'anna', platform: account });
  await world.store.chatConversations.set(`anna@${account}`, id);
  return id;
}

async function ask(world: World, account: string, conversationId: string): Promise<void> {
  await world.store.approvals.ask({
    id: `ask:${account}`,
    kind: 'approval',
    title: 'May I?',
    detail: '',
    choices: [],
    tool: null,
    ruleKey: null,
    callKey: null,
    conversationId,
    turn: 1,
  });
}

function eventsFor(world: World): PlatformEvent[] {
  const file = world.connection.file('a.txt', 'A');
  const voice = world.connection.file('v.ogg', 'la', { kind: 'voice', mediaType: 'audio/ogg' });
  return [
    message('one', { key: 'k-1' }),
    message('two', { key: 'k-2', files: [file, voice] }),
    command('queue', 'three', { key: 'k-3' }),
    press('tok:0', { key: 'k-4' }),
    message('let me in', { key: 'k-5', sender: stranger, chat: { id: '990', kind: 'direct' } }),
  ];
}

/** As a platform does: an event that was not accepted is delivered again by the next connection. */
async function deliver(
  inbox: { accept(event: PlatformEvent): Promise<void> },
  events: PlatformEvent[],
  mortal: Mortal,
) {
  for (const event of events) await Promise.race([inbox.accept(event), mortal.death]);
}

describe('a gateway that is killed', () => {
  it('at any moment at all loses nothing and does nothing twice', async () => {
    const world = await openInbound({ start: false });
    let killAt = 0;
    let wasKilled = true;
    while (wasKilled) {
      killAt += 1;
      const account = `acc${String(killAt)}`;
      const conversationId = await conversationOf(world, account);
      await ask(world, account, conversationId);
      const events = eventsFor(world);
      const said = new Map<string, string>();

      const mortal = new Mortal(killAt);
      const first = processOf(world, account, said, mortal);
      void first.start();
      await deliver(first.inbox(account), events, mortal);
      await Promise.race([mortal.death, allDone(world)]);
      wasKilled = mortal.isDead;
      if (!wasKilled) await first.stop();

      const immortal = new Mortal(Number.POSITIVE_INFINITY);
      const second = processOf(world, account, said, immortal);
      await second.start();
      await deliver(second.inbox(account), events, immortal);
      await allDone(world);
      await second.stop();

      const rows = (await world.store.inbox.unsignalled(10_000)).filter((row) => row.platform === account);
      const lines = rows.flatMap(({ text }) => text.split('\n'));
      expect(lines, `killed before call ${String(killAt)}`).toEqual([
        'one',
        'two',
        expect.stringMatching(/^\[document a\.txt/) as string,
        expect.stringMatching(/^\[voice note v\.ogg.*could not be transcribed/) as string,
        'three',
      ]);
      expect([...said].map(([key, text]) => [key.split('/').slice(2).join('/'), text]).sort()).toEqual([
        ['k-2/transcript/1/failed', 'I could not make out your voice note (deaf). The agent gets it as a file.'],
        ['k-3/reply', 'queued'],
        ['k-5/pairing', expect.stringMatching(/`\w{8}`/) as string],
      ]);
      expect(await world.store.approvals.get(`ask:${account}`)).toMatchObject({ state: 'approved' });
      // The code that was sent is the one that counts.
      const code = /`(\w{8})`/.exec([...said.values()].find((text) => text.includes('Hello')) ?? '')?.[1] ?? '';
      expect(
        await createPairing({ ...world.deps, outbox: { enqueue: () => Promise.resolve() } }).approve(code, {
          me: false,
          admin: false,
        }),
      ).toMatchObject({ account });
    }
    expect(killAt).toBeGreaterThan(40);
  }, 120_000);

  it('between two messages of a burst joins them or not, but gives both on', async () => {
    const world = await openInbound({ deps: { burstPauseMs: () => 60_000 } });
    await world.inbox.accept(message('one'));
    await sleep(20);
    await world.inbound.stop();
    const again = await openInbound({ gateway: world, deps: { burstPauseMs: () => 300 } });
    await again.inbox.accept(message('two'));
    await again.idle();
    expect((await again.texts()).join('\n')).toBe('one\ntwo');
  });

  it('after a turn was fixed adds nothing to it', async () => {
    const world = await openInbound({ start: false });
    await world.inbox.accept(message('one', { key: 'a' }));
    const lane = JSON.stringify(['telegram', '70', '']);
    const [row] = await world.store.platformEvents.open(lane, 1);
    const { id } = await world.store.conversations.current('anna');
    await world.store.platformEvents.take(row?.seq ?? 0, { joined: [], conversationId: id });
    await world.inbox.accept(message('two', { key: 'b' }));
    const again = await openInbound({ gateway: world, deps: { burstPauseMs: () => 300 } });
    await again.idle();
    expect((await again.given()).map(({ id, text }) => [id, text])).toEqual([
      ['telegram:a', 'one'],
      ['telegram:b', 'two'],
    ]);
  });

  it('gives a turn to the conversation it was fixed for, unless that is gone', async () => {
    const world = await openInbound({ start: false });
    await world.inbox.accept(message('kept', { key: 'a', chat: { id: 'x', kind: 'direct' } }));
    await world.inbox.accept(message('moved', { key: 'b', chat: { id: 'y', kind: 'direct' } }));
    for (const chat of ['x', 'y']) {
      const [row] = await world.store.platformEvents.open(JSON.stringify(['telegram', chat, '']), 1);
      const { id } = await world.store.conversations.create({ id: `c-${chat}`, personId: 'anna', platform: 'cli' });
      await world.store.platformEvents.take(row?.seq ?? 0, { joined: [], conversationId: id });
    }
    await world.store.conversations.delete('c-y');
    await world.inbound.start();
    await world.idle();
    const current = await world.store.conversations.current('anna');
    const where = (await world.given()).map(({ text, conversationId }) => [text, conversationId]);
    expect(new Map(where as [string, string][])).toEqual(
      new Map([
        ['kept', 'c-x'],
        ['moved', current.id],
      ]),
    );
  });
});

function allDone(world: World): Promise<void> {
  return vi.waitFor(async () => {
    if ((await world.store.platformEvents.openLanes([], 1)).length > 0) throw new Error('still open');
  }, soon);
}
