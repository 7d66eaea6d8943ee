import { setTimeout as pause } from 'node:timers/promises';
import type { Environment } from '../../config/home.ts';
import { ConfigRefused, changeConfig, type Change } from '../../config/write.ts';
import { configuredAccount } from '../../gateway/configured-accounts.ts';
import { loadConfig } from '../../config/load.ts';
import type { PlatformDescriptor } from '../../gateway/platforms/platform.ts';
import { platforms } from '../../gateway/platforms/registry.ts';
import type { AccountView } from '../../contracts/api-gateway.ts';
import { CliError } from '../errors.ts';
import type { Ask, Say } from './dialogue.ts';

export interface PlatformSetup {
  readonly home: string;
  readonly env: Environment;
  readonly platform: string | undefined;
  readonly account: string | undefined;
  readonly ask: Ask;
  readonly say: Say;
  /** Makes whoever was shown this pairing code the owner's own account. Rejects where nobody was. */
  readonly approve: (code: string) => Promise<void>;
  /** The enabled accounts as the running service has them. */
  readonly accounts: () => Promise<readonly AccountView[]>;
}

/** How long a code to scan is shown anew before the wizard gives up. */
const pairingLimitMs = 5 * 60_000;

/**
 * Walks a person through a platform's steps, writes the settings, proves them with a real request and enables the
 * account. What is wrong is asked for again; nothing is enabled before it is proven.
 *
 * @throws CliError when there is nobody to answer, or no such platform.
 */
export async function setUpPlatform(setup: PlatformSetup): Promise<void> {
  const descriptor = await choose(setup);
  const id = setup.account === undefined ? descriptor.id : `${descriptor.id}/${setup.account}`;
  const prefix = `gateway.${descriptor.id}${setup.account === undefined ? '' : `.accounts.${setup.account}`}`;
  for (;;) {
    await askSteps(setup, descriptor, prefix);
    const problem = await prove(setup, descriptor, id);
    if (problem === null) break;
    await setup.say(`That did not work: ${problem}\nOnce more; what is right already is kept by an empty line.`);
  }
  await changeConfig(setup, [{ key: `${prefix}.enabled`, value: 'true' }]);
  if (descriptor.pairs === true) await showPairing(setup, id);
  await setup.say(`${descriptor.title} is enabled. Write to the agent there: it answers with a pairing code.`);
  await pairOwner(setup);
  await setup.say('hermes gateway platforms shows how it stands.');
}

/** The first account is usually the person's own. */
async function pairOwner({ ask, say, approve }: PlatformSetup): Promise<void> {
  for (;;) {
    const code = (await ask('The code (empty: later, with hermes gateway pairing approve CODE --me):'))?.trim() ?? '';
    if (code === '') return;
    try {
      await approve(code);
      return;
    } catch (error) {
      await say(error instanceof Error ? error.message : String(error));
    }
  }
}

/** Prints what the running service wants to have scanned, whenever it changes, until the account is connected. */
async function showPairing(setup: PlatformSetup, id: string): Promise<void> {
  await setup.say('Waiting for the code to scan ...');
  let last: string | null = null;
  const until = Date.now() + pairingLimitMs;
  while (Date.now() < until) {
    const account = (await setup.accounts()).find((one) => one.id === id);
    if (account?.state === 'connected') return;
    if (account?.state === 'failed') throw new CliError(`${id}: ${account.detail}`);
    const shown = account?.shown ?? null;
    if (shown !== null && shown !== last) await setup.say(shown);
    last = shown;
    await pause(1_000);
  }
  throw new CliError('Nobody scanned the code.', {
    hint: `hermes gateway platforms shows it as long as ${id} is enabled.`,
  });
}

async function choose({ platform, ask, say }: PlatformSetup): Promise<PlatformDescriptor> {
  const known = platforms.find(({ id }) => id === platform);
  if (known !== undefined) return known;
  const list = platforms.map(({ title }, index) => `  ${String(index + 1)}  ${title}`).join('\n');
  if (platform !== undefined) {
    throw new CliError(`There is no platform ${platform}.`, {
      hint: `Known: ${platforms.map(({ id }) => id).join(', ')}`,
      exitCode: 2,
    });
  }
  await say(`Which platform?\n${list}`);
  for (;;) {
    const answer = await need(ask, 'Number or name:');
    const chosen = platforms.find(({ id }, index) => id === answer || String(index + 1) === answer);
    if (chosen !== undefined) return chosen;
    await say(`There is no platform ${answer}.`);
  }
}

async function askSteps(setup: PlatformSetup, descriptor: PlatformDescriptor, prefix: string): Promise<void> {
  const { ask, say } = setup;
  for (const [index, step] of descriptor.setup.entries()) {
    await say(`${String(index + 1)}. ${step.text}`);
    if (step.setting === undefined) continue;
    const hidden = descriptor.settings[step.setting]?.kind === 'secret';
    for (;;) {
      const answer = await ask(`   ${step.setting}${hidden ? ' (not shown)' : ''}:`, { hidden });
      if (answer === null) throw new CliError('Nobody answers; nothing was enabled.');
      if (answer.trim() === '') break;
      const change: Change = { key: `${prefix}.${step.setting}`, value: answer.trim() };
      const problem = await write(setup, change);
      if (problem === null) break;
      await say(`   ${problem}`);
    }
  }
}

async function write(setup: PlatformSetup, change: Change): Promise<string | null> {
  try {
    await changeConfig(setup, [change]);
    return null;
  } catch (error) {
    if (error instanceof ConfigRefused) return error.message;
    throw error;
  }
}

/** @returns what is wrong, or null. */
async function prove(setup: PlatformSetup, descriptor: PlatformDescriptor, id: string): Promise<string | null> {
  const { config } = loadConfig(setup);
  const account = configuredAccount(config, id);
  const lacking = descriptor.needs.filter((key) => account.settings[key] === null);
  if (lacking.length > 0) return `${lacking.join(', ')} is missing.`;
  // Its credentials come about by pairing.
  if (descriptor.pairs === true) return null;
  const nothing = (): void => undefined;
  try {
    const connection = await descriptor.open({
      id,
      settings: account.settings,
      log: { debug: nothing, info: nothing, warn: nothing },
    });
    try {
      const { name } = await connection.identify();
      await setup.say(`${descriptor.title} answers; the agent is called ${name} there.`);
      return null;
    } finally {
      await connection.close();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function need(ask: Ask, question: string): Promise<string> {
  const answer = await ask(question);
  if (answer === null) throw new CliError('Nobody answers; nothing was changed.');
  return answer.trim();
}
