import type { ModelGateway } from '../../activities/deps.ts';
import { chooseModel, providerAccess } from '../../config/model-choice.ts';
import { parseModelRef } from '../../config/model-ref.ts';
import type { ProviderId } from '../../domain/model-providers.ts';
import type { Config } from '../../config/schema.ts';
import type { ModelList } from '../../contracts/api.ts';
import { PortError } from '../../lib/port-error.ts';
import { costOf, modelFacts } from '../../models/catalogue.ts';
import { generateWithFallback, type ModelCandidate } from '../../models/fallback.ts';
import type { WarmableProvider } from '../../models/openai-compatible.ts';
import { createProvider, providerEntry } from '../../models/registry.ts';
import type { Core } from '../core.ts';

/** The models of this installation, following its configuration. */
export interface Models {
  readonly gateway: ModelGateway;
  /** What the configured provider offers. Rejects with a PortError `Model.*`. */
  list(): Promise<ModelList>;
  /** Loads what the first call needs; says nothing of whether the model can be reached. */
  warmUp(): Promise<void>;
}

/** A model nobody has told us the context size of. */
const carefulContextTokens = 64_000;
const listTimeoutMs = 15_000;

interface Named {
  readonly provider: ProviderId;
  readonly name: string;
}

export function createModels(core: Core): Models {
  const providers = new ProviderCache(core);
  const candidate = ({ provider, name }: Named): ModelCandidate => ({
    label: `${provider}:${name}`,
    model: name,
    open: () => providers.get(provider),
  });

  const gateway: ModelGateway = {
    generate: async (reference, request, control) => {
      const config = core.source.current();
      const { maxOutputTokens } = config.model;
      const chain = [chosen(core, reference), ...fallbacks(config)].map(candidate);
      const { answer, candidate: used } = await generateWithFallback(
        chain,
        { ...request, ...(maxOutputTokens === null ? {} : { maxOutputTokens }) },
        control,
      );
      const provider = used.label.slice(0, used.label.indexOf(':'));
      return { answer, provider, costUsd: costOf(answer.usage, used.model, pricesFor(core, used)).costUsd };
    },
    describe: (reference) => {
      const { provider, name } = chosen(core, reference);
      const known = core.source.current().model.contextTokens ?? modelFacts(name)?.contextTokens;
      return { label: `${provider}:${name}`, contextTokens: known ?? carefulContextTokens };
    },
  };
  return {
    gateway,
    list: async () => {
      const { provider, name } = chosen(core, null);
      const models = await providers.get(provider).listModels(AbortSignal.timeout(listTimeoutMs));
      return {
        current: `${provider}:${name}`,
        models: models.map((one) => ({
          id: one.name,
          contextTokens: one.contextTokens ?? modelFacts(one.name)?.contextTokens ?? null,
        })),
      };
    },
    warmUp: async () => {
      try {
        await providers.get(chosen(core, null).provider).warmUp();
      } catch (error) {
        // The first turn says so to the person; here nobody listens.
        core.log.warn({ error: error instanceof Error ? error.message : String(error) }, 'the model is not ready');
      }
    },
  };
}

/** The model of a conversation, or the configured one. */
function chosen(core: Core, reference: string | null): Named {
  const config = core.source.current();
  const choice = chooseModel(config, core.env);
  if (reference === null) return { provider: choice.provider, name: choice.name ?? '' };
  const parsed = parseModelRef(reference);
  if (!parsed.ok) throw new PortError('Model.NotConfigured', `${reference}: ${parsed.message}`);
  const provider = parsed.provider ?? choice.provider;
  return { provider, name: parsed.name ?? providerEntry(provider).defaultModel ?? '' };
}

function fallbacks(config: Config): readonly Named[] {
  return config.model.fallback.flatMap((reference) => {
    const parsed = parseModelRef(reference);
    if (!parsed.ok || parsed.provider === null) return [];
    return [{ provider: parsed.provider, name: parsed.name ?? providerEntry(parsed.provider).defaultModel ?? '' }];
  });
}

/** The person's own prices are meant for the configured model, not for a fallback. */
function pricesFor(core: Core, used: ModelCandidate): Parameters<typeof costOf>[2] {
  const { provider, name } = chosen(core, null);
  return used.label === `${provider}:${name}` ? core.source.current().model : {};
}

/** Providers by id, made anew when their settings change. */
class ProviderCache {
  private readonly core: Core;
  private readonly made = new Map<ProviderId, { readonly key: string; readonly provider: WarmableProvider }>();

  constructor(core: Core) {
    this.core = core;
  }

  /** @throws PortError `Model.NotConfigured` */
  get(id: ProviderId): WarmableProvider {
    const config = this.core.source.current();
    const { baseUrl, apiKey } = providerAccess(id, config, this.core.env);
    const { requestTimeoutMs, stallTimeoutMs } = config.model;
    const settings = { baseUrl, apiKey: apiKey?.reveal() ?? null, requestTimeoutMs, stallTimeoutMs };
    const key = JSON.stringify(settings);
    const known = this.made.get(id);
    if (known?.key === key) return known.provider;
    const provider = createProvider(providerEntry(id), settings);
    this.made.set(id, { key, provider });
    return provider;
  }
}
