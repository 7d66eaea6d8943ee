import { Command } from 'commander';
import { stripControls } from '../../lib/markdown/strip-controls.ts';
import { printJson, printText, withClient } from './with-client.ts';

/** `hermes prompt`: the part of a prompt that is the same in every turn. */
export function command(): Command {
  return new Command('prompt')
    .description('print the fixed part of every prompt (instructions and tools), and its size')
    .option('--size', 'only the size')
    .option('--json', 'as JSON')
    .action(prompt);
}

async function prompt(options: { size?: true; json?: true }): Promise<void> {
  await withClient(async (client) => {
    const { text, ...size } = await client.prompt();
    if (options.json === true) return printJson(options.size === true ? size : { ...size, text });
    const sizes =
      `${String(size.totalChars)} characters: ${String(size.systemChars)} of instructions, ` +
      `${String(size.toolSchemaChars)} of tool schemas\n`;
    await printText(options.size === true ? sizes : `${stripControls(text).trimEnd()}\n\n${sizes}`);
  });
}
