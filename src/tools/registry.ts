import { z } from 'zod';
import type { EffectClass } from '../domain/effect.ts';
import { PortError } from '../lib/port-error.ts';
import type { RawToolCall, ToolSchema } from '../models/provider.ts';
import { askUser } from './ask-user.ts';
import { checkArguments } from './check-arguments.ts';
import type { PlanContext, Tool, ToolContext, ToolPlan, ToolResult } from './define-tool.ts';
import { editFile } from './edit-file.ts';
import { listFiles } from './list-files.ts';
import { loadConversation } from './load-conversation.ts';
import { memory } from './memory.ts';
import { nearestName } from './nearest-name.ts';
import { parseArguments } from './parse-arguments.ts';
import { process } from './process.ts';
import { readFile } from './read-file.ts';
import { runCommand } from './run-command.ts';
import { saveAttachment } from './save-attachment.ts';
import { searchConversations } from './search-conversations.ts';
import { searchFiles } from './search-files.ts';
import { sendFile } from './send-file.ts';
import { todo } from './todo.ts';
import { webFetch } from './web-fetch.ts';
import { writeFile } from './write-file.ts';

/** Every tool there is. The order is the prompt's and must stay, for prompt caches. */
export const tools: readonly Tool[] = [
  runCommand,
  process,
  readFile,
  writeFile,
  editFile,
  listFiles,
  searchFiles,
  webFetch,
  todo,
  askUser,
  memory,
  searchConversations,
  loadConversation,
  sendFile,
  saveAttachment,
];

/** A call that may run: parsed, checked and judged; or what the model reads instead. */
export type PlannedTool =
  | {
      readonly kind: 'planned';
      readonly name: string;
      readonly effect: EffectClass;
      readonly timeoutMs: number;
      readonly plan: ToolPlan;
      /** Parsed arguments, for `run`. */
      readonly input: unknown;
    }
  | { readonly kind: 'rejected'; readonly name: string; readonly text: string };

export interface ToolRegistry {
  schemas(): readonly ToolSchema[];
  /** Parses, validates and asks the tool's policy. Never rejects for what the model did wrong. No effects. */
  plan(call: RawToolCall, context: PlanContext): Promise<PlannedTool>;
  /** Runs a planned call. Rejects for outages, bugs and aborted signals; what the model can act on is a result. */
  run(name: string, input: unknown, context: ToolContext): Promise<ToolResult & { readonly capChars: number }>;
}

export function createToolRegistry(list: readonly Tool[] = tools): ToolRegistry {
  const byName = new Map(list.map((tool) => [tool.name, tool]));
  const schemas = toolSchemas(list);
  return {
    schemas: () => schemas,
    plan: (call, context) => planCall(call, context, byName),
    run: async (name, input, context) => {
      const tool = byName.get(name);
      if (tool === undefined) throw new PortError('Internal.Invariant', `Tool ${name} was planned and is not there.`);
      return { ...(await runTool(tool, input, context)), capChars: tool.outputCapChars };
    },
  };
}

/** What the model is told of the tools. */
export function toolSchemas(list: readonly Tool[] = tools): readonly ToolSchema[] {
  return list.map(({ name, description, input }) => ({ name, description, parameters: parametersOf(input) }));
}

/** Words of JSON Schema that cost tokens on every call and that our own check says better. */
const noise = new Set([
  '$schema',
  'additionalProperties',
  'minLength',
  'maxLength',
  'exclusiveMinimum',
  'minimum',
  'maximum',
  'maxItems',
]);

function parametersOf(schema: z.ZodType): Readonly<Record<string, unknown>> {
  return withoutNoise(z.toJSONSchema(schema, { io: 'input' })) as Readonly<Record<string, unknown>>;
}

function withoutNoise(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNoise);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !noise.has(key))
      .map(([key, inner]) => [key, withoutNoise(inner)]),
  );
}

async function planCall(
  call: RawToolCall,
  context: PlanContext,
  byName: ReadonlyMap<string, Tool>,
): Promise<PlannedTool> {
  const reject = (text: string): PlannedTool => ({ kind: 'rejected', name: call.name, text });
  const tool = byName.get(call.name.trim());
  if (tool === undefined) return reject(unknownTool(call.name, [...byName.keys()]));
  const parsed = parseArguments(call.argumentsText);
  if (!parsed.ok) return reject(`${tool.name}: ${parsed.problem}`);
  const checked = checkArguments(tool.input, parsed.value);
  if (!checked.ok) return reject(`${tool.name}: ${checked.problem}`);
  const plan = await tool.plan(checked.input, context);
  return {
    kind: 'planned',
    name: tool.name,
    effect: plan.effect ?? tool.effect,
    timeoutMs: plan.timeoutMs ?? tool.timeoutMs,
    plan,
    input: checked.input,
  };
}

function unknownTool(name: string, names: readonly string[]): string {
  const near = nearestName(name, names);
  const hint = near === null ? '' : ` Did you mean ${near}?`;
  return `There is no tool ${name.slice(0, 80)}.${hint} Tools are ${names.join(', ')}.`;
}

/** Port errors a model can act on: it named a file or folder that is not there, or not for it. */
const actionable: ReadonlySet<string> = new Set([
  'Terminal.NotFound',
  'Terminal.Denied',
  'Terminal.TooLarge',
  'Terminal.Invalid',
]);

async function runTool(tool: Tool, input: unknown, context: ToolContext): Promise<ToolResult> {
  try {
    return await tool.run(input, context);
  } catch (error) {
    if (PortError.is(error) && actionable.has(error.code)) return { status: 'error', text: error.message };
    throw error;
  }
}
