import { Command } from 'commander';
import type { EnvironmentView } from '../../contracts/api-environments.ts';
import { stripControls } from '../../lib/markdown/strip-controls.ts';
import { duration } from '../format.ts';
import { formatTable } from '../table.ts';
import { outputWidth, printJson, printText, withClient } from './with-client.ts';

interface Json {
  readonly json?: true;
}

/** `hermes backend`: where commands run; what is asleep, awake or out of order there. */
export function command(): Command {
  const backend = new Command('backend').description('where commands run').action(() => status(undefined, {}));
  backend.command('list').description('try each kind of machine').option('--json', 'as JSON').action(list);
  backend
    .command('status [id]')
    .description('the environments, or one of them')
    .option('--json', 'as JSON')
    .action(status);
  backend
    .command('wake [id]')
    .description('wake it; without an id: the one of your next command')
    .option('--json', 'as JSON')
    .action((id: string | undefined, options: Json) => change(id, 'wake', options));
  backend
    .command('hibernate [id]')
    .description('put it to sleep now; files stay')
    .option('--json', 'as JSON')
    .action((id: string | undefined, options: Json) => change(id, 'hibernate', options));
  backend
    .command('reset [id]')
    .description('remove it with its files and begin afresh')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'as JSON')
    .action(reset);
  backend.command('logs [id]').description('what happened to it, newest first').action(logs);
  backend.command('shell [id]').description('a shell in it; it stays awake meanwhile').action(shell);
  backend
    .command('copy <from> <to>')
    .description('carry the workspace from one backend to another')
    .option('--path <folder>', 'this folder on both sides; otherwise where commands start')
    .option('--json', 'as JSON')
    .action(copy);
  return backend;
}

async function list(options: Json): Promise<void> {
  await withClient(async (client) => {
    const backends = await client.backends();
    if (options.json === true) return printJson(backends);
    const columns = [{ title: '' }, { title: 'backend' }, { title: 'here' }, { title: 'why', flexible: true }];
    const rows = backends.map(({ id, current, usable, detail }) => [
      current ? '*' : '',
      id,
      usable ? 'yes' : 'no',
      detail,
    ]);
    await printText(formatTable(columns, rows, outputWidth()));
  });
}

async function status(id: string | undefined, options: Json): Promise<void> {
  await withClient(async (client) => {
    const views = id === undefined ? await client.environments() : [await client.environment(id)];
    if (options.json === true) return printJson(id === undefined ? views : views[0]);
    if (views.length === 0) return printText('No environment has been made yet; the first command makes one.\n');
    await printText(views.map(describe).join('\n'));
  });
}

async function change(id: string | undefined, what: 'wake' | 'hibernate' | 'reset', options: Json): Promise<void> {
  await withClient(async (client) => {
    const view = await client.changeEnvironment(id ?? 'current', what);
    if (options.json === true) return printJson(view);
    await printText(describe(view));
  });
}

async function reset(id: string | undefined, options: Json & { readonly yes?: true }): Promise<void> {
  if (options.yes !== true) {
    const { confirmed } = await import('../confirm.ts');
    const sure = await confirmed('This removes the environment with all files in it. Go on?');
    if (!sure) return printText('Nothing was changed.\n');
  }
  await change(id, 'reset', options);
}

async function logs(id: string | undefined): Promise<void> {
  await withClient(async (client) => {
    const { log } = await client.environment(id ?? 'current');
    await printText(log.length === 0 ? 'Nothing has happened yet.\n' : `${log.map(stripControls).join('\n')}\n`);
  });
}

async function shell(id: string | undefined): Promise<void> {
  const { openBackendShell } = await import('../backend-shell.ts');
  await withClient(async (client) => {
    process.exitCode = await openBackendShell(client, id ?? 'current');
  });
}

async function copy(from: string, to: string, options: Json & { readonly path?: string }): Promise<void> {
  await withClient(async (client) => {
    const done = await client.copyEnvironment({
      from,
      to,
      ...(options.path === undefined ? {} : { path: options.path }),
    });
    if (options.json === true) return printJson(done);
    const megabytes = (done.sizeBytes / 1_000_000).toFixed(1);
    await printText(
      `${String(done.files)} files (${megabytes} MB) from ${from}:${done.path.from} to ${to}:${done.path.to}\n`,
    );
  });
}

function describe(view: EnvironmentView): string {
  const rows: (readonly [string, string])[] = [
    ['state', view.sleepingSince === null ? view.phase : `${view.phase} since ${view.sleepingSince}`],
    ['backend', view.backend],
    ['detail', view.detail],
    ['slept', duration(view.sleptMs)],
  ];
  if (view.lastWakeMs !== null) rows.push(['last wake', duration(view.lastWakeMs)]);
  for (const { holder, until } of view.leases) rows.push(['used by', `${holder} until ${until}`]);
  if (view.failure !== null) rows.push(['failure', `${view.failure.message} (${view.failure.code})`]);
  const head = `${view.environmentId}${view.current ? ' (your next command runs here)' : ''}\n`;
  return head + rows.map(([name, value]) => `  ${name.padEnd(10)}${stripControls(value)}\n`).join('');
}
