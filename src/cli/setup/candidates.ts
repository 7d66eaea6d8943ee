import type { Environment } from '../../config/home.ts';
import { providerAccess } from '../../config/model-choice.ts';
import { providerTable, type ProviderId } from '../../domain/model-providers.ts';
import type { Config } from '../../config/schema.ts';
import { probeProvider } from './probe.ts';

/** A provider that could be used right away. */
export interface Candidate {
  readonly provider: ProviderId;
  /** Why, for people: `key in OPENAI_API_KEY`, `runs at 127.0.0.1:11434`. */
  readonly because: string;
  /** What it offers, where that is known already. */
  readonly models: readonly string[] | null;
}

/** A server of this machine answers at once or not at all. */
const localTimeoutMs = 1500;

/** Keys that are at hand, in the order of the table, then local servers that answer now. */
export async function findCandidates(config: Config, env: Environment): Promise<readonly Candidate[]> {
  const keyed = providerTable.flatMap(({ id, needsKey }): Candidate[] => {
    const { apiKeyFrom } = providerAccess(id, config, env);
    return needsKey && apiKeyFrom !== null ? [{ provider: id, because: `key in ${apiKeyFrom}`, models: null }] : [];
  });
  const local = await Promise.all((['ollama', 'lmstudio'] as const).map((id) => findLocal(id, config, env)));
  return [...keyed, ...local.filter((candidate) => candidate !== null)];
}

async function findLocal(provider: ProviderId, config: Config, env: Environment): Promise<Candidate | null> {
  const { baseUrl, apiKey } = providerAccess(provider, config, env);
  if (baseUrl === null) return null;
  const probe = await probeProvider({ baseUrl, apiKey, timeoutMs: localTimeoutMs });
  if (!probe.ok || probe.models === null) return null;
  return { provider, because: `runs at ${new URL(baseUrl).host}`, models: probe.models };
}
