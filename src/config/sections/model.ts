import { providerIds } from '../../domain/model-providers.ts';
import { parseModelRef } from '../model-ref.ts';
import { amount, choice, list, maxTimerMs, secret, text, url, whole } from '../setting.ts';
import * as z from 'zod';

const fallbackItem = z.string().refine((value) => {
  const ref = parseModelRef(value);
  return ref.ok && ref.provider !== null;
});

export const model = {
  provider: choice(providerIds, {
    default: null,
    description:
      'Who answers. Not set: the first provider whose key is in the environment, in the order of this list; else demo.',
  }),
  name: text({ default: null, description: "The model's name at the provider. Not set: the provider's usual one." }),
  baseUrl: url({
    default: null,
    description: "Address of the OpenAI-compatible interface. Not set: the provider's own. Needed for custom.",
  }),
  apiKey: secret({ description: 'Key for model.provider. Not set: the variable the provider itself names.' }),
  fallback: list({
    default: [],
    item: fallbackItem,
    accepts: 'a list of provider:name',
    description: 'Models to try, in order, when the chosen one does not answer.',
  }),
  contextTokens: whole({
    default: null,
    min: 1000,
    max: 100_000_000,
    description: 'Size of the context window. Not set: what the provider says, else a careful guess.',
  }),
  maxOutputTokens: whole({ default: null, min: 1, max: 10_000_000, description: 'Longest answer of one step.' }),
  requestTimeoutMs: whole({ default: 600_000, min: 1000, max: maxTimerMs, description: 'Longest a request may take.' }),
  stallTimeoutMs: whole({
    default: 90_000,
    min: 100,
    max: maxTimerMs,
    description: 'Longest silence within a request before it counts as stalled and is tried again.',
  }),
  inputUsdPerMillion: amount({
    default: null,
    min: 0,
    max: 100_000,
    description: 'Price of a million input tokens, for providers that do not say what a request cost.',
  }),
  outputUsdPerMillion: amount({
    default: null,
    min: 0,
    max: 100_000,
    description: 'Price of a million output tokens, for providers that do not say what a request cost.',
  }),
} as const;

/** What `providers.<id>` holds: access to providers beside the chosen one, for /model and model.fallback. */
export const provider = {
  apiKey: secret({ description: 'Key for this provider. Not set: the variable the provider itself names.' }),
  baseUrl: url({ default: null, description: "Address to use instead of the provider's own." }),
} as const;
