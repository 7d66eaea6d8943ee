import { inspect } from 'node:util';
import { PortError } from '../../../src/lib/port-error.ts';
import { createOpenAiCompatible, type OpenAiCompatibleOptions } from '../../../src/models/openai-compatible.ts';
import type { ModelAnswer, ModelRequest } from '../../../src/models/provider.ts';

export const key = 'sk-test-0123456789abcdef';
export const prompt = 'My landlord is called Ebenezer and owes me money.';
export const request: ModelRequest = {
  model: 'test-model',
  system: 'You are a plain assistant.',
  messages: [{ role: 'user', text: prompt }],
  tools: [{ name: 'run_command', description: 'Runs it.', parameters: { type: 'object', properties: {} } }],
};

export type Settings = Pick<OpenAiCompatibleOptions, 'baseUrl'> & Partial<OpenAiCompatibleOptions>;

export const provider = (settings: Settings) => createOpenAiCompatible({ id: 'custom', apiKey: key, ...settings });

export interface Heard {
  answer: string;
  reasoning: string;
  deltas: number;
}

/** One request to a real endpoint, with everything that was heard on the way. */
export async function ask(
  settings: Settings,
  change: Partial<ModelRequest> = {},
  signal = new AbortController().signal,
): Promise<{ answer: ModelAnswer; heard: Heard }> {
  const heard: Heard = { answer: '', reasoning: '', deltas: 0 };
  const answer = await provider(settings).generate(
    { ...request, ...change },
    {
      signal,
      onDelta: (delta) => {
        heard[delta.channel] += delta.text;
        heard.deltas += 1;
      },
    },
  );
  return { answer, heard };
}

/** The PortError a request ends with; anything else fails the test. */
export async function failure(settings: Settings): Promise<PortError> {
  const error: unknown = await ask(settings).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!PortError.is(error)) throw new Error(`No PortError but ${inspect(error)}`);
  return error;
}

export const delta = (fields: Record<string, unknown>, finish: string | null = null) => ({
  model: 'm',
  choices: [{ index: 0, delta: fields, finish_reason: finish }],
});
