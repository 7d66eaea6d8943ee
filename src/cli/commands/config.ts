import { Command } from 'commander';
import type { LoadedConfig, Problem } from '../../config/load.ts';
import type { Change, Written } from '../../config/write.ts';
import { hermesHome, homePaths } from '../../config/home.ts';
import { CliError } from '../errors.ts';
import { formatTable } from '../table.ts';
import { outputWidth, printJson, printText } from './with-client.ts';

/** `hermes config`: reads and changes config.yaml and secrets.yaml. The service needs no restart. */
export const command = (): Command => {
  const config = new Command('config').description('settings: get, set, unset, list, path, edit');
  config
    .command('get <key>')
    .description('the value in force; a section gives all of its keys')
    .option('--json', 'as JSON')
    .action(get);
  config
    .command('set <key> <value>')
    .description('write a value; secrets go to secrets.yaml. A value of - is read from standard input')
    .allowUnknownOption()
    .action(set);
  config.command('unset <key>').description('back to the default').action(unset);
  config
    .command('list')
    .description('every key with its value and where that comes from')
    .option('--all', 'also the keys of providers that are not set')
    .option('--json', 'as JSON')
    .action(list);
  config
    .command('path')
    .description('the file')
    .action(() => printText(`${paths().configFile}\n`));
  config
    .command('edit')
    .description('open the file in $VISUAL or $EDITOR and check it afterwards')
    .option('--secrets', 'secrets.yaml instead')
    .action(async (options: { secrets?: true }) => {
      const { editConfig } = await import('../setup/edit-config.ts');
      process.exitCode = await editConfig({ ...place(), secrets: options.secrets === true });
    });
  return config;
};

const place = (): { home: string; env: NodeJS.ProcessEnv } => ({ home: hermesHome(process.env), env: process.env });
const paths = (): ReturnType<typeof homePaths> => homePaths(hermesHome(process.env));

async function load(): Promise<LoadedConfig> {
  return (await import('../../config/load.ts')).loadConfig(place());
}

async function get(key: string, options: { json?: true }): Promise<void> {
  const { findSetting, isGroup, suggestKey } = await import('../../config/schema.ts');
  if (findSetting(key) === undefined && !isGroup(key)) {
    const close = suggestKey(key);
    throw new CliError(`There is no key ${key}.`, {
      hint: close === null ? 'hermes config list shows them.' : `Did you mean ${close}?`,
      exitCode: 2,
    });
  }
  const { maskSecrets } = await import('../../config/secret-values.ts');
  const { config, problems } = await load();
  await warn(problems);
  let value: unknown = maskSecrets(config);
  for (const part of key.split('.')) value = (value as Record<string, unknown> | null | undefined)?.[part] ?? null;
  if (options.json === true || (typeof value === 'object' && value !== null)) return printJson(value);
  // Nothing printed and code 1 let a script tell "not set" from a value.
  if (value === null) process.exitCode = 1;
  else await printText(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`);
}

async function set(key: string, value: string): Promise<void> {
  const { readAll } = await import('../io.ts');
  const text = value === '-' ? (await readAll(process.stdin)).trim() : value;
  await apply({ key, value: text });
}

async function unset(key: string): Promise<void> {
  await apply({ key, value: null });
}

async function apply(change: Change): Promise<void> {
  const { changeConfig, ConfigRefused } = await import('../../config/write.ts');
  let written: Written;
  try {
    written = await changeConfig(place(), [change]);
  } catch (error) {
    if (error instanceof ConfigRefused) throw new CliError(error.message, { cause: error });
    throw error;
  }
  await warn(written.notices);
  const done = change.value === null ? 'removed from' : 'written to';
  const nothing = change.value === null ? 'was not set' : 'stood there already';
  const { key } = change;
  await printText(`${key} ${written.files.length === 0 ? nothing : `${done} ${written.files.join(', ')}`}\n`);
}

async function list(options: { all?: true; json?: true }): Promise<void> {
  const { allSettings } = await import('../../config/schema.ts');
  const { maskSecrets } = await import('../../config/secret-values.ts');
  const { config, sources, problems } = await load();
  await warn(problems);
  const masked = maskSecrets(config) as Record<string, Record<string, unknown>>;
  const rows = allSettings()
    .filter(({ key }) => options.all === true || sources.has(key))
    .map(({ key, setting, env }) => {
      const value = key
        .split('.')
        .reduce<unknown>((node, part) => (node as Record<string, unknown> | undefined)?.[part], masked);
      const source = sources.get(key) ?? { from: 'default' as const };
      return {
        key,
        value: value ?? null,
        source,
        default: setting.default,
        secret: setting.secret,
        env,
        description: setting.description,
      };
    });
  if (options.json === true) return printJson(rows);
  const columns = [
    { title: 'KEY' },
    { title: 'VALUE', flexible: true },
    { title: 'FROM' },
    { title: 'MEANING', flexible: true },
  ];
  const cells = rows.map(({ key, value, source, description }) => [
    key,
    value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value),
    source.from === 'env' ? source.name : source.from,
    description,
  ]);
  await printText(formatTable(columns, cells, outputWidth()));
}

async function warn(problems: readonly Problem[]): Promise<void> {
  if (problems.length === 0) return;
  const { describeProblem } = await import('../../config/load.ts');
  process.stderr.write(problems.map((problem) => `${describeProblem(problem)}\n`).join(''));
}
