import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { createConnections } from '../../../src/gateway/connections.ts';
import type { ConfiguredAccount } from '../../../src/gateway/accounts.ts';
import type { PlatformConnection, PlatformDescriptor, PlatformInbox } from '../../../src/gateway/platforms/platform.ts';
import { PortError } from '../../../src/lib/port-error.ts';

/** A platform whose connections do what the test says. */
class ScriptedPlatform {
  opened = 0;
  closed = 0;
  answersProbes = true;
  closes = true;
  /** How `run` ends; null: with its signal. */
  failure: unknown = null;
  inbox: PlatformInbox | null = null;
  readonly menu: string[] = [];

  account(id: string, token = 'one'): ConfiguredAccount {
    const descriptor = { id: 'scripted', open: () => Promise.resolve(this.open()) } as unknown as PlatformDescriptor;
    const conduct = { owner: [], allow: [], admins: [], groups: [], strangers: 'pair', home: null } as const;
    return { id, descriptor, settings: { token }, conduct };
  }

  private open(): PlatformConnection {
    this.opened += 1;
    return {
      run: async (inbox: PlatformInbox, signal: AbortSignal) => {
        this.inbox = inbox;
        if (this.failure !== null) throw this.failure as Error;
        inbox.state('connected');
        await sleep(1_000_000, undefined, { signal }).catch(() => undefined);
      },
      outbound: {
        registerCommands: (commands: readonly { readonly name: string }[]) => {
          this.menu.push(...commands.map(({ name }) => name));
          return Promise.resolve();
        },
      },
      webhook: ({ body }: { body: Buffer }) => Promise.resolve({ status: 200, body: `got ${body.toString()}` }),
      probe: () => (this.answersProbes ? Promise.resolve() : new Promise(() => undefined)),
      identify: () => Promise.resolve({ id: '1', name: 'agent' }),
      close: () => {
        this.closed += 1;
        return this.closes ? Promise.resolve() : new Promise(() => undefined);
      },
    } as unknown as PlatformConnection;
  }
}

function connect(accounts: () => readonly ConfiguredAccount[]) {
  const nothing = () => Promise.resolve(null);
  const connections = createConnections({
    accounts,
    inbox: () =>
      ({ accept: () => Promise.resolve(), state: () => undefined, load: nothing }) as unknown as PlatformInbox,
    backlog: () => ({ waiting: 0, ambiguous: 0 }),
    commands: [{ name: 'new', args: '', help: 'begin anew' }],
    redact: (text) => text.replaceAll('s3cret', '[hidden]'),
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
    times: {
      firstPauseMs: 5,
      longestPauseMs: 20,
      hopelessPauseMs: 10_000,
      silenceMs: 30,
      probeMs: 20,
      closeMs: 30,
      lookMs: 10,
    },
  });
  onTestFinished(() => connections.stop());
  connections.start();
  return connections;
}

async function until(check: () => boolean): Promise<void> {
  while (!check()) await sleep(2);
}

it('an account that is enabled is connected, and says its name', async () => {
  const platform = new ScriptedPlatform();
  const connections = connect(() => [platform.account('scripted')]);
  await until(() => connections.list()[0]?.name === 'agent');
  expect(connections.list()[0]).toMatchObject({ id: 'scripted', state: 'connected', lastError: null });
  expect(connections.get('scripted')?.connection).toBeDefined();
  expect(connections.get('other')).toBeUndefined();
  await connections.stop();
  expect([platform.opened, platform.closed]).toEqual([1, 1]);
});

it('one account with a wrong token takes nothing else down, and is not tried in a hurry', async () => {
  const [wrong, right] = [new ScriptedPlatform(), new ScriptedPlatform()];
  wrong.failure = new PortError('Platform.Authentication', 'The token is wrong.');
  const connections = connect(() => [wrong.account('wrong'), right.account('right')]);
  await until(() => connections.list().some(({ state }) => state === 'failed'));
  await until(() => connections.list().some(({ state }) => state === 'connected'));
  await sleep(60);
  expect(wrong.opened).toBe(1);
  const report = connections.list().find(({ id }) => id === 'wrong');
  expect(report?.lastError).toContain('The token is wrong. (Platform.Authentication)');
});

it('a connection that breaks is made again, ever later', async () => {
  const platform = new ScriptedPlatform();
  platform.failure = new Error('socket hang up');
  const connections = connect(() => [platform.account('scripted')]);
  await until(() => platform.opened === 3);
  platform.failure = null;
  await until(() => connections.list()[0]?.state === 'connected');
});

it('a connection that is silent and gives no sign of life is made anew', async () => {
  const platform = new ScriptedPlatform();
  const connections = connect(() => [platform.account('scripted')]);
  await until(() => connections.list()[0]?.state === 'connected');
  await sleep(80);
  expect(platform.opened).toBe(1);
  platform.answersProbes = false;
  await until(() => platform.opened === 2);
  expect(connections.list()[0]?.lastError).toContain('no sign of life');
});

it('a changed setting makes a new connection, a disabled account is closed', async () => {
  const platform = new ScriptedPlatform();
  let accounts = [platform.account('scripted')];
  const connections = connect(() => accounts);
  await until(() => connections.list()[0]?.state === 'connected');
  accounts = [platform.account('scripted', 'two')];
  await until(() => platform.opened === 2 && platform.closed === 1);
  accounts = [];
  await until(() => platform.closed === 2);
  expect(connections.list()).toEqual([]);
});

it('shows the commands in the menu, once for each account', async () => {
  const platform = new ScriptedPlatform();
  const connections = connect(() => [platform.account('one')]);
  await until(() => connections.list()[0]?.state === 'connected');
  platform.inbox?.state('waiting', 'reconnecting');
  platform.inbox?.state('connected');
  expect(platform.menu).toEqual(['new']);
});

it('hands a call of a platform to its account, asks to come again while there is no connection, knows no others', async () => {
  const platform = new ScriptedPlatform();
  const connections = connect(() => [platform.account('one')]);
  const call = { method: 'POST', path: '/', query: {}, headers: {}, body: Buffer.from('hello') };
  await until(() => connections.list()[0]?.state === 'connected');
  expect(await connections.webhook('one', call)).toEqual({ status: 200, body: 'got hello' });
  expect(await connections.webhook('two', call)).toBeNull();
  const failing = connect(() => [{ ...platform.account('three'), descriptor: neverOpens }]);
  await until(() => failing.list().length === 1);
  expect(await failing.webhook('three', call)).toMatchObject({ status: 503 });
});

const neverOpens = {
  id: 'scripted',
  open: () => Promise.reject(new PortError('Platform.Unavailable', 'not now')),
} as unknown as PlatformDescriptor;

it('who may talk there changes without a new connection', async () => {
  const platform = new ScriptedPlatform();
  const before = platform.account('scripted');
  let account = { ...before, settings: { ...before.settings, allow: [] as readonly string[] } };
  const connections = connect(() => [account]);
  await until(() => connections.list()[0]?.state === 'connected');
  account = {
    ...account,
    settings: { ...account.settings, allow: ['7'] },
    conduct: { ...account.conduct, allow: ['7'] },
  };
  await until(() => connections.get('scripted')?.conduct.allow[0] === '7');
  await sleep(30);
  expect([platform.opened, platform.closed]).toEqual([1, 0]);
});

it('an account that does not close holds up no other one', async () => {
  const [stuck, other] = [new ScriptedPlatform(), new ScriptedPlatform()];
  stuck.closes = false;
  let accounts = [stuck.account('stuck'), other.account('other')];
  const connections = connect(() => accounts);
  await until(() => connections.list().filter(({ state }) => state === 'connected').length === 2);
  accounts = [other.account('other', 'two')];
  await until(() => other.opened === 2);
  await connections.stop();
});

it('what went wrong is said without secrets', async () => {
  const platform = new ScriptedPlatform();
  platform.failure = new Error('GET https://api.example.org/bots3cret/getMe failed');
  const connections = connect(() => [platform.account('scripted')]);
  await until(() => connections.list()[0]?.lastError != null);
  expect(JSON.stringify(connections.list())).toContain('getMe failed');
  expect(JSON.stringify(connections.list())).not.toContain('s3cret');
});

it('goes on after a look at the configuration that failed', async () => {
  const platform = new ScriptedPlatform();
  let looks = 0;
  const connections = connect(() => {
    looks += 1;
    if (looks === 1) throw new Error('the configuration cannot be read');
    return [platform.account('scripted')];
  });
  await until(() => connections.list()[0]?.state === 'connected');
});
