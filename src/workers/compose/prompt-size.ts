import type { PromptSize } from '../../contracts/api.ts';
import { fixedPrompt } from '../../domain/prompt.ts';
import { toolSchemas } from '../../tools/registry.ts';

/** What every model call pays for before a word was said. */
export function promptSize(agent: { readonly name: string; readonly instructions: string | null }): PromptSize {
  const text = fixedPrompt(agent.name, agent.instructions ?? '');
  const schemas = toolSchemas();
  const toolSchemaChars = JSON.stringify(schemas).length;
  return {
    systemChars: text.length,
    toolSchemaChars,
    totalChars: text.length + toolSchemaChars,
    text: `${text}\n\n${schemas.map((one) => JSON.stringify(one)).join('\n')}`,
  };
}
