import { describeProblem, hasErrors, loadConfig } from '../../../config/load.ts';
import { chooseModel } from '../../../config/model-choice.ts';
import type { Check, Finding } from './finding.ts';

const askLimitMs = 5_000;

/** Every key and value of the files and the environment. */
export const checkConfiguration: Check = ({ home, env }) => {
  const { problems } = loadConfig({ home, env });
  if (problems.length === 0) return [{ name: 'configuration', state: 'fine', detail: 'valid' }];
  const hint = 'hermes config set KEY VALUE, or hermes config edit';
  return problems.map((problem): Finding => ({
    name: 'configuration',
    state: hasErrors([problem]) ? 'wrong' : 'note',
    detail: describeProblem(problem),
    ...(hasErrors([problem]) ? { hint } : {}),
  }));
};

/** Whether the model's address answers at all; whether the key is right shows with the first question. */
export const checkModel: Check = async ({ home, env }) => {
  const choice = chooseModel(loadConfig({ home, env }).config, env);
  const called = [choice.provider, choice.name].filter((part) => part !== null).join(':');
  if (choice.provider === 'demo') {
    const hint = 'hermes model, or a key in the environment (OPENAI_API_KEY, OPENROUTER_API_KEY)';
    return [{ name: 'model', state: 'note', detail: 'demo is no language model', hint }];
  }
  if (choice.baseUrl === null) {
    return [
      {
        name: 'model',
        state: 'wrong',
        detail: `${called} has no address`,
        hint: 'hermes config set model.baseUrl URL',
      },
    ];
  }
  const url = `${choice.baseUrl.replace(/\/$/, '')}/models`;
  const headers = choice.apiKey === null ? {} : { authorization: `Bearer ${choice.apiKey.reveal()}` };
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(askLimitMs) });
    await response.body?.cancel();
    return [judge(called, url, response.status)];
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = 'Check the network, model.baseUrl, and whether that server runs.';
    return [{ name: 'model', state: 'wrong', detail: `${called}: ${url} cannot be reached: ${reason}`, hint }];
  }
};

function judge(called: string, url: string, status: number): Finding {
  if (status === 401 || status === 403) {
    const hint = 'hermes config set model.apiKey KEY';
    return { name: 'model', state: 'wrong', detail: `${called}: ${url} refuses the key (${status})`, hint };
  }
  if (status >= 500) {
    return { name: 'model', state: 'wrong', detail: `${called}: ${url} answers ${status}`, hint: 'Try again later.' };
  }
  return { name: 'model', state: 'fine', detail: `${called}, ${url} answers` };
}
