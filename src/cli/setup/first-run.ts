import type { Environment } from '../../config/home.ts';
import { loadConfig } from '../../config/load.ts';
import { chooseModel } from '../../config/model-choice.ts';
import { ConfigRefused } from '../../config/write.ts';
import { CliError } from '../errors.ts';
import type { Ask, Say } from './dialogue.ts';
import { runWizard } from './wizard.ts';

export interface OfferOptions {
  readonly home: string;
  readonly env: Environment;
  /** False where nobody can answer: then nothing is asked and nothing looked for. */
  readonly interactive: boolean;
  readonly ask: Ask;
  readonly say: Say;
}

/** `ready`: a model was chosen already; `set-up`: the person chose one now; `demo`: the stand-in answers. */
export type Offer = 'ready' | 'set-up' | 'demo';

/**
 * For the first start: where no model is chosen and no key found, offers to set one up, and leaves the demo otherwise.
 * A person who said no once and set nothing is asked again at the next start. A setup that fails is told and ends in the
 * demo: it never keeps anybody from the chat.
 */
export async function offerModel(options: OfferOptions): Promise<Offer> {
  const { home, env, interactive, ask, say } = options;
  const { how } = chooseModel(loadConfig({ home, env }).config, env);
  if (how !== 'demo') return 'ready';
  if (!interactive) return 'demo';
  const answer = (await ask('No language model is set up. Set one up now? [Y/n]'))?.trim().toLowerCase();
  if (answer === '' || answer === 'y' || answer === 'yes') {
    try {
      const { provider, model } = await runWizard({ home, env, ask, say });
      await say(`From now on ${provider}:${model} answers.`);
      return 'set-up';
    } catch (error) {
      if (!(error instanceof CliError || error instanceof ConfigRefused)) throw error;
      await say(error.message);
    }
  }
  await say('The demo answers: no language model, but it drives every tool. hermes setup changes that at any time.');
  return 'demo';
}
