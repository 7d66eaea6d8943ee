import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import { CliError } from '../errors.ts';
import { printJson, printText } from './with-client.ts';

/** `hermes model`: shows the model that answers, or chooses another. */
export const command = (): Command =>
  new Command('model')
    .description('show the model that answers, or choose another: hermes model openrouter:vendor/name')
    .argument('[model]', 'PROVIDER:NAME, a provider alone, or a name at the provider in force')
    .option('--json', 'as JSON')
    .action(async (ref: string | undefined, options: { json?: true }) => {
      if (ref !== undefined) await choose(ref);
      await show(options.json === true);
    });

async function choose(ref: string): Promise<void> {
  const [{ loadConfig, describeProblem }, { chooseModel }, { parseModelRef }, { switchModel }, { changeConfig }] =
    await Promise.all([
      import('../../config/load.ts'),
      import('../../config/model-choice.ts'),
      import('../../config/model-ref.ts'),
      import('../../config/switch-model.ts'),
      import('../../config/write.ts'),
    ]);
  const parsed = parseModelRef(ref);
  if (!parsed.ok) {
    const hint = parsed.suggestion === null ? undefined : `Did you mean ${parsed.suggestion}?`;
    throw new CliError(`${ref}: ${parsed.message}.`, { hint, exitCode: 2 });
  }
  const place = { home: hermesHome(process.env), env: process.env };
  const loaded = loadConfig(place);
  const provider = parsed.provider ?? chooseModel(loaded.config, process.env).provider;
  if (parsed.provider === null && provider === 'demo') {
    throw new CliError(`${ref}: of which provider?`, {
      hint: 'Write PROVIDER:NAME, or run hermes setup.',
      exitCode: 2,
    });
  }
  const { notices } = await changeConfig(place, switchModel(loaded, { provider, name: parsed.name }));
  for (const notice of notices) process.stderr.write(`${describeProblem(notice)}\n`);
}

async function show(json: boolean): Promise<void> {
  const [{ loadConfig }, { chooseModel }, { providerInfo }] = await Promise.all([
    import('../../config/load.ts'),
    import('../../config/model-choice.ts'),
    import('../../domain/model-providers.ts'),
  ]);
  const { config } = loadConfig({ home: hermesHome(process.env), env: process.env });
  const { provider, name, baseUrl, apiKeyFrom, how } = chooseModel(config, process.env);
  if (json) {
    await printJson({ provider, name, baseUrl, apiKeyFrom, how, fallback: config.model.fallback });
    return;
  }
  const lines = [`${provider}:${name ?? '(no name; set model.name)'}`];
  if (how === 'environment') lines.push(`found by its key in ${apiKeyFrom ?? ''}`);
  if (how === 'demo') lines.push('no model is set up: hermes setup, or put a key into the environment');
  if (baseUrl !== null) lines.push(`address  ${baseUrl}`);
  if (apiKeyFrom !== null) lines.push(`key      from ${apiKeyFrom}`);
  else if (providerInfo(provider).needsKey) lines.push('key      missing: hermes setup');
  if (config.model.fallback.length > 0) lines.push(`then     ${config.model.fallback.join(', ')}`);
  await printText(`${lines.join('\n')}\n`);
}
