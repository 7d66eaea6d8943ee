import { Command } from 'commander';
import { hermesHome } from '../../config/home.ts';
import { readAll } from '../io.ts';

interface SetupFlags {
  readonly provider?: string;
  readonly model?: string;
  readonly key?: string;
  readonly baseUrl?: string;
  readonly yes?: true;
  readonly check: boolean;
}

/** `hermes setup`: chooses a provider and a model, proves the choice, writes it down. */
export const command = (): Command =>
  new Command('setup')
    .description('choose who answers: finds keys and local servers, tries the choice, writes it down')
    .option(
      '--provider <id>',
      'openai, openrouter, nous, zai, kimi, minimax, anthropic, ollama, lmstudio, custom, demo',
    )
    .option('--model <name>', "the model's name at the provider")
    .option('--key <key>', 'the key; - reads it from standard input, where no process list shows it')
    .option('--base-url <address>', 'address of an OpenAI-compatible interface')
    .option('-y, --yes', 'ask nothing; take what is found')
    .option('--no-check', 'write without asking the provider')
    .action(async (flags: SetupFlags) => {
      const [{ openDialogue }, { runWizard }] = await Promise.all([
        import('../setup/dialogue.ts'),
        import('../setup/wizard.ts'),
      ]);
      const fromInput = flags.key === '-';
      const key = fromInput ? (await readAll(process.stdin)).trim() : flags.key;
      const dialogue = openDialogue({ stdin: process.stdin, stdout: process.stdout, stderr: process.stderr });
      try {
        const { provider, model } = await runWizard({
          home: hermesHome(process.env),
          env: process.env,
          ask: dialogue.ask,
          say: dialogue.say,
          answers: { ...flags, ...(key === undefined ? {} : { key }), ...(fromInput ? { yes: true } : {}) },
        });
        await dialogue.say(`From now on ${provider}:${model} answers.`);
      } finally {
        dialogue.close();
      }
    });
