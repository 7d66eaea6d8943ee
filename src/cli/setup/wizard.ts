import type { Environment } from '../../config/home.ts';
import { checkText } from '../../config/check-value.ts';
import { describeProblem, loadConfig, type LoadedConfig } from '../../config/load.ts';
import { providerAccess } from '../../config/model-choice.ts';
import { nearest } from '../../config/nearest.ts';
import {
  isProviderId,
  providerIds,
  providerInfo,
  providerTable,
  type ProviderId,
} from '../../domain/model-providers.ts';
import { switchModel } from '../../config/switch-model.ts';
import { Secret } from '../../config/secret.ts';
import { changeConfig } from '../../config/write.ts';
import { CliError } from '../errors.ts';
import { findCandidates, type Candidate } from './candidates.ts';
import type { Ask, Say } from './dialogue.ts';
import { probeProvider } from './probe.ts';

/** What was said on the command line; the wizard asks only for the rest. */
interface SetupAnswers {
  readonly provider?: string;
  readonly model?: string;
  readonly key?: string;
  readonly baseUrl?: string;
  /** Asks nothing: takes what was found, and fails where something is missing. */
  readonly yes?: boolean;
  /** False: writes without the real request. */
  readonly check?: boolean;
}

export interface WizardOptions {
  readonly home: string;
  readonly env: Environment;
  readonly ask: Ask;
  readonly say: Say;
  readonly answers?: SetupAnswers;
}

export interface SetupResult {
  readonly provider: ProviderId;
  readonly model: string;
}

/**
 * Chooses a provider and a model, proves the choice with a real request and writes it down. Nothing is written unless
 * everything is answered and proven.
 *
 * @throws CliError where something is missing or refused, ConfigRefused where the file cannot be changed.
 */
export async function runWizard(options: WizardOptions): Promise<SetupResult> {
  const loaded = loadConfig({ home: options.home, env: options.env });
  const wizard = new Wizard(options, loaded);
  const found = options.answers?.provider === undefined ? await findCandidates(loaded.config, options.env) : [];
  const provider = await wizard.provider(found);
  const baseUrl = await wizard.baseUrl(provider);
  const key = await wizard.key(provider);
  const models = await wizard.prove(provider, baseUrl, key.apiKey);
  const model = await wizard.model(provider, models);
  await wizard.write({ provider, model, baseUrl, key });
  return { provider, model };
}

interface Key {
  readonly apiKey: Secret | null;
  /** True when it was given now and is to be written down. */
  readonly isNew: boolean;
}

class Wizard {
  readonly #options: WizardOptions;
  readonly #answers: SetupAnswers;
  readonly #loaded: LoadedConfig;

  constructor(options: WizardOptions, loaded: LoadedConfig) {
    this.#options = options;
    this.#answers = options.answers ?? {};
    this.#loaded = loaded;
  }

  async provider(found: readonly Candidate[]): Promise<ProviderId> {
    const said = this.#answers.provider;
    if (said !== undefined) return knownProvider(said);
    if (this.#answers.baseUrl !== undefined) return 'custom';
    const best = found[0];
    if (this.#answers.yes === true) {
      if (best !== undefined) return best.provider;
      throw new CliError('No key and no local model server was found.', {
        hint: 'Name one: hermes setup --provider openai --key KEY',
      });
    }
    const rows = providerTable.map(({ id, title }) => {
      const candidate = found.find((one) => one.provider === id);
      return candidate === undefined ? title : `${title}: ${candidate.because}`;
    });
    await this.#options.say(`Which model provider?\n${numbered(rows)}`);
    const usual = best === undefined ? null : String(providerIds.indexOf(best.provider) + 1);
    for (;;) {
      const answer = await this.#ask(`Number or name${usual === null ? '' : ` [${usual}]`}:`, usual);
      const byNumber = /^\d+$/.test(answer) ? providerIds[Number(answer) - 1] : undefined;
      const chosen = byNumber ?? (isProviderId(answer) ? answer : null);
      if (chosen !== null) return chosen;
      await this.#options.say(`There is no provider ${answer}.`);
    }
  }

  async baseUrl(provider: ProviderId): Promise<string | null> {
    const said = this.#answers.baseUrl;
    if (said !== undefined) return webAddress(said);
    const known = providerAccess(provider, this.#loaded.config, this.#options.env).baseUrl;
    if (known !== null || provider === 'demo') return known;
    return webAddress(await this.#need('Address of the interface (https://host/v1):', '--base-url'));
  }

  async key(provider: ProviderId): Promise<Key> {
    const said = this.#answers.key;
    if (said !== undefined) return { apiKey: new Secret(said.trim()), isNew: true };
    const { apiKey, apiKeyFrom } = providerAccess(provider, this.#loaded.config, this.#options.env);
    if (apiKey !== null) {
      await this.#options.say(`Using the key ${String(apiKey)} from ${apiKeyFrom ?? ''}.`);
      return { apiKey, isNew: false };
    }
    if (provider === 'demo' || (!providerInfo(provider).needsKey && provider !== 'custom'))
      return { apiKey, isNew: false };
    if (provider === 'custom') {
      const answer = this.#answers.yes === true ? '' : await this.#ask('Key (empty for none):', '', { hidden: true });
      return { apiKey: answer === '' ? null : new Secret(answer), isNew: answer !== '' };
    }
    const answer = await this.#need(`Key for ${providerInfo(provider).title}:`, '--key', { hidden: true });
    return { apiKey: new Secret(answer), isNew: true };
  }

  /** The models on offer, or null where the provider does not list them. */
  async prove(provider: ProviderId, baseUrl: string | null, apiKey: Secret | null): Promise<readonly string[] | null> {
    if (baseUrl === null || this.#answers.check === false) return null;
    const probe = await probeProvider({ baseUrl, apiKey });
    if (!probe.ok) {
      throw new CliError(`${probe.reason}. Nothing was changed.`, {
        hint: '--no-check writes the settings without asking the provider.',
      });
    }
    const count = probe.models === null ? 'it does not list its models' : `${probe.models.length} models`;
    await this.#options.say(`${providerInfo(provider).title} answers: ${count}.`);
    return probe.models;
  }

  async model(provider: ProviderId, models: readonly string[] | null): Promise<string> {
    const said = this.#answers.model;
    if (said !== undefined) return this.#offered(nameWithin(said, provider), models);
    const usual = this.#usualModel(provider, models);
    if (provider === 'demo' || this.#answers.yes === true) {
      if (usual === null) throw new CliError('Which model?', { hint: 'Name it with --model NAME.' });
      return usual;
    }
    if (models !== null && models.length > 0) await this.#options.say(excerpt(models));
    return this.#offered(
      nameWithin(await this.#ask(`Model${usual === null ? '' : ` [${usual}]`}:`, usual), provider),
      models,
    );
  }

  async write(result: { provider: ProviderId; model: string; baseUrl: string | null; key: Key }): Promise<void> {
    const { home, env, say } = this.#options;
    const { provider, model, baseUrl, key } = result;
    const known = providerAccess(provider, this.#loaded.config, env).baseUrl;
    const changes = switchModel(this.#loaded, {
      provider,
      name: model,
      ...(baseUrl !== null && baseUrl !== known ? { baseUrl } : {}),
      ...(key.isNew && key.apiKey !== null ? { apiKey: key.apiKey } : {}),
    });
    const { files, notices } = await changeConfig({ home, env }, changes);
    await say(files.length === 0 ? 'Nothing had to be changed.' : `Written: ${files.join(', ')}`);
    for (const notice of notices) await say(describeProblem(notice));
  }

  /** The usual model, if it is on offer; of a local server the first one. */
  #usualModel(provider: ProviderId, models: readonly string[] | null): string | null {
    const { config } = this.#loaded;
    const wanted = [config.model.provider === provider ? config.model.name : null, providerInfo(provider).defaultModel];
    const named = wanted.filter((name) => name !== null);
    const offered = named.find((name) => models === null || models.includes(name));
    return offered ?? models?.find((name) => !/embed|whisper|tts|rerank/i.test(name)) ?? named[0] ?? null;
  }

  async #offered(name: string, models: readonly string[] | null): Promise<string> {
    if (models === null || models.length === 0 || models.includes(name)) return name;
    const close = nearest(name, models);
    if (this.#answers.model !== undefined || this.#answers.yes === true) {
      throw new CliError(`The provider offers no model ${name}. Nothing was changed.`, {
        hint: close === null ? 'hermes setup without --model lists what there is.' : `Did you mean ${close}?`,
      });
    }
    await this.#options.say(`It offers no model ${name}${close === null ? '' : `; did you mean ${close}?`}`);
    return this.#offered(await this.#ask(`Model${close === null ? '' : ` [${close}]`}:`, close), models);
  }

  /** The answer, or what is usual where it is empty. Asks again while there is neither. */
  async #ask(question: string, usual: string | null, options: { readonly hidden?: boolean } = {}): Promise<string> {
    for (;;) {
      const answer = await this.#options.ask(question, options);
      if (answer === null) throw new CliError('The answers ended before the setup did. Nothing was changed.');
      const text = answer.trim();
      if (text !== '') return text;
      if (usual !== null) return usual;
    }
  }

  #need(question: string, flag: string, options: { readonly hidden?: boolean } = {}): Promise<string> {
    if (this.#answers.yes === true) throw new CliError(`${flag} is missing.`, { exitCode: 2 });
    return this.#ask(question, null, options);
  }
}

function knownProvider(word: string): ProviderId {
  if (isProviderId(word)) return word;
  const close = nearest(word, providerIds);
  throw new CliError(`There is no provider "${word}".`, {
    hint: close === null ? `There are ${providerIds.join(', ')}.` : `Did you mean ${close}?`,
    exitCode: 2,
  });
}

/** A name as it is, or as `provider:name` with the right provider. */
function nameWithin(said: string, provider: ProviderId): string {
  return said.startsWith(`${provider}:`) ? said.slice(provider.length + 1) : said;
}

function webAddress(said: string): string {
  const checked = checkText('model.baseUrl', said);
  if (checked.ok) return said.trim().replace(/\/+$/, '');
  throw new CliError(`${said} is not an address that starts with http:// or https://.`, {
    hint: checked.suggestion === null ? undefined : `Did you mean ${checked.suggestion}?`,
    exitCode: 2,
  });
}

function numbered(rows: readonly string[]): string {
  return rows.map((row, index) => `  ${String(index + 1).padStart(2)}  ${row}`).join('\n');
}

function excerpt(models: readonly string[]): string {
  const shown = models.slice(0, 20);
  const more = models.length - shown.length;
  return `Models: ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
