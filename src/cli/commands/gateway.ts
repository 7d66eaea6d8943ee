import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import type { AccountView } from '../../contracts/api-gateway.ts';
import { stripControls } from '../../lib/markdown/strip-controls.ts';
import { ago } from '../format.ts';
import { formatTable } from '../table.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { outputWidth, printJson, printText, withClient } from './with-client.ts';

interface Json {
  readonly json?: true;
}

/** `hermes gateway`: the chat platforms. */
export function command(): Command {
  const gateway = new Command('gateway').description('chat platforms').action(() => platforms({}));
  gateway
    .command('setup [platform]')
    .description('connect a platform step by step, and prove it')
    .option('--account <name>', 'a further account of the platform, under this name')
    .action(setup);
  gateway
    .command('platforms')
    .alias('status')
    .description('state, last event, last error and queue of each account')
    .option('--json', 'as JSON')
    .action(platforms);
  gateway
    .command('start')
    .description('connect the enabled accounts')
    .action(() => turn(true));
  gateway
    .command('stop')
    .description('disconnect them; messages wait on the platforms')
    .action(() => turn(false));
  gateway.command('restart').description('disconnect and connect again').action(restart);
  gateway.command('run').description('run the service here, in the foreground').action(run);
  gateway.command('logs').description('what the service writes down').option('-f, --follow', 'go on').action(logs);
  gateway.addCommand(pairing());
  gateway.addCommand(outbox());
  return gateway;
}

function pairing(): Command {
  const commands = new Command('pairing').description('who may talk to the agent').action(() => listPairings({}));
  commands.command('list').description('who may, and who asked to').option('--json', 'as JSON').action(listPairings);
  commands
    .command('approve <code>')
    .description('let somebody in by the code they were shown')
    .option('--me', 'it is you: same memory, same conversation')
    .option('--admin', 'they may use commands that change the agent')
    .option('--json', 'as JSON')
    .action(approve);
  commands.command('revoke <account> <user>').description('let somebody in no more').action(revoke);
  return commands;
}

function outbox(): Command {
  const commands = new Command('outbox').description('messages that may not have arrived').action(() => listOutbox({}));
  commands.command('list').description('failed and uncertain ones').option('--json', 'as JSON').action(listOutbox);
  commands
    .command('retry <id>')
    .description('send it again')
    .action((id: string) => changeOutbox(id, 'retry'));
  commands
    .command('drop <id>')
    .description('let it be')
    .action((id: string) => changeOutbox(id, 'drop'));
  return commands;
}

async function setup(platform: string | undefined, options: { account?: string }): Promise<void> {
  const [{ openDialogue }, { setUpPlatform }] = await Promise.all([
    import('../setup/dialogue.ts'),
    import('../setup/platform-wizard.ts'),
  ]);
  const dialogue = openDialogue({ stdin: process.stdin, stdout: process.stdout, stderr: process.stderr });
  try {
    const place = { home: hermesHome(process.env), env: process.env };
    const accounts = async (): Promise<readonly AccountView[]> => {
      let found: readonly AccountView[] = [];
      await withClient(async (client) => void ({ accounts: found } = await client.platformAccounts()));
      return found;
    };
    await setUpPlatform({
      ...place,
      platform,
      account: options.account,
      ask: dialogue.ask,
      say: dialogue.say,
      accounts,
      approve: (code) => approve(code, { me: true }),
    });
  } finally {
    dialogue.close();
  }
}

async function platforms(options: Json): Promise<void> {
  await withClient(async (client) => {
    const { running, accounts } = await client.platformAccounts();
    if (options.json === true) return printJson({ running, accounts });
    if (!running) await printText('The gateway is stopped: hermes gateway start\n');
    if (accounts.length === 0) return printText('No platform is enabled: hermes gateway setup\n');
    const columns = [
      { title: 'account' },
      { title: 'state' },
      { title: 'as' },
      { title: 'last event' },
      { title: 'waiting' },
      { title: 'uncertain' },
      { title: 'said', flexible: true },
    ];
    const rows = accounts.map((one) => [
      one.id,
      one.state,
      one.name ?? '-',
      one.lastEventAt === null ? '-' : ago(one.lastEventAt),
      String(one.waiting),
      String(one.ambiguous),
      stripControls(one.detail === '' ? (one.lastError ?? '') : one.detail),
    ]);
    await printText(formatTable(columns, rows, outputWidth()));
    for (const { id, shown } of accounts) if (shown !== null) await printText(`\n${id} shows:\n${shown}\n`);
  });
}

/** The switch stands in the configuration, so it holds over restarts; a running service follows within seconds. */
async function turn(on: boolean): Promise<void> {
  const { changeConfig } = await import('../../config/write.ts');
  await changeConfig({ home: hermesHome(process.env), env: process.env }, [
    { key: 'gateway.enabled', value: String(on) },
  ]);
  await followed(on);
  await printText(on ? 'The gateway is on.\n' : 'The gateway is off; the agent itself goes on.\n');
  if (on) await platforms({});
}

/** Waits until the running service has done as the switch says: nothing is connected, or nothing is still about to be. */
async function followed(on: boolean): Promise<void> {
  const isDone = ({ running, accounts }: { running: boolean; accounts: readonly AccountView[] }): boolean =>
    running === on && (on ? accounts.every(({ state }) => state !== 'connecting') : accounts.length === 0);
  await withClient(async (client) => {
    // The service looks at its configuration every other second.
    const settledAt = Date.now() + (on ? 2_500 : 0);
    const limit = Date.now() + 15_000;
    while (Date.now() < limit) {
      const now = await client.platformAccounts();
      if (isDone(now) && (!on || now.accounts.length > 0 || Date.now() > settledAt)) return;
      await pause(200);
    }
  });
}

async function restart(): Promise<void> {
  await turn(false);
  await turn(true);
}

async function run(): Promise<void> {
  const { command: up } = await import('./up.ts');
  await up().parseAsync(['--foreground'], { from: 'user' });
}

async function logs(options: { follow?: true }): Promise<void> {
  const { command: show } = await import('./logs.ts');
  await show().parseAsync(['service', ...(options.follow === true ? ['--follow'] : [])], { from: 'user' });
}

async function listPairings(options: Json): Promise<void> {
  await withClient(async (client) => {
    const rows = await client.pairings();
    if (options.json === true) return printJson(rows);
    if (rows.length === 0) return printText('Nobody has asked yet.\n');
    const columns = [{ title: 'account' }, { title: 'user' }, { title: 'name', flexible: true }, { title: 'state' }];
    const cells = rows.map(({ account, userId, name, state, personId, since }) => [
      account,
      userId,
      stripControls(name),
      state === 'pending' ? `asked ${ago(since)}` : `in, as ${personId ?? ''}`,
    ]);
    await printText(formatTable(columns, cells, outputWidth()));
  });
}

async function approve(code: string, options: Json & { me?: true; admin?: true }): Promise<void> {
  await withClient(async (client) => {
    const row = await client.approvePairing({ code, me: options.me === true, admin: options.admin === true });
    if (options.json === true) return printJson(row);
    await printText(`${stripControls(row.name)} (${row.account}) may talk to the agent, as ${row.personId ?? ''}.\n`);
    if (options.me === true) return;
    await printText(
      'They have a memory of their own, and commands run where yours do; approving theirs is up to them.\n',
    );
  });
}

async function revoke(account: string, user: string): Promise<void> {
  await withClient(async (client) => {
    const revoked = await client.revokePairing(account, user);
    if (!revoked) process.exitCode = 1;
    await printText(revoked ? `${user} is out.\n` : `${user} was not in.\n`);
  });
}

async function listOutbox(options: Json): Promise<void> {
  await withClient(async (client) => {
    const rows = await client.outbox();
    if (options.json === true) return printJson(rows);
    if (rows.length === 0) return printText('Everything has arrived, as far as anybody can tell.\n');
    const columns = [{ title: 'id' }, { title: 'to' }, { title: 'state' }, { title: 'text', flexible: true }];
    const cells = rows.map(({ id, account, chat, state, text, error }) => [
      id,
      `${account}:${chat}`,
      error === null ? state : `${state}: ${stripControls(error)}`,
      stripControls(text),
    ]);
    await printText(formatTable(columns, cells, outputWidth()));
  });
}

async function changeOutbox(id: string, what: 'retry' | 'drop'): Promise<void> {
  await withClient(async (client) => {
    await client.changeOutbox(id, what);
    await printText(what === 'retry' ? 'It is sent again.\n' : 'It is let be.\n');
  });
}
