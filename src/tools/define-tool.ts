import type { z } from 'zod';
import type { TerminalSession } from '../backends/backend.ts';
import type { EffectClass, ToolStatus } from '../domain/effect.ts';
import type { ToolDeps } from './tool-deps.ts';

/** What a tool is given. Ports only; nothing global. */
export interface ToolContext {
  readonly conversationId: string;
  readonly personId: string;
  readonly turn: number;
  readonly step: number;
  /** Deterministic; the key of every effect the call has. */
  readonly callKey: string;
  /** 1 on the first try. Greater: an earlier try may have got anywhere. */
  readonly attempt: number;
  /** Aborts on interrupt or time-out: stop the effect, then reject with its reason. */
  readonly signal: AbortSignal;
  /** Aborts when this worker is about to stop: leave an attachable effect running and reject with its reason. */
  readonly draining: AbortSignal;
  /** The person's words, for a call that asked a question. */
  readonly answer: string | undefined;
  /** The environment commands run in; opened on first use. */
  readonly terminal: () => Promise<TerminalSession>;
  readonly deps: ToolDeps;
}

/** What checking a call before it runs may say. */
export interface ToolPlan {
  /** One line for people, without secrets, e.g. `run_command: npm test`. */
  readonly summary: string;
  /** Refused outright; the model reads why. Never overridable. */
  readonly blocked?: string;
  /** A person must agree first. `ruleKey` is what "always" remembers. */
  readonly approval?: { readonly title: string; readonly reason: string; readonly ruleKey: string };
  /** The call is a question to the person; their words come back as `context.answer`. */
  readonly question?: { readonly text: string; readonly choices: readonly string[] };
  readonly effect?: EffectClass;
  readonly timeoutMs?: number;
}

/** Context of planning: read-only, fast, no effects. */
export interface PlanContext {
  readonly conversationId: string;
  readonly personId: string;
  readonly deps: ToolDeps;
}

export interface ToolResult {
  readonly status: Extract<ToolStatus, 'ok' | 'error' | 'timed-out' | 'uncertain'>;
  /** What the model reads. Capped by the caller; the rest goes to the store and stays readable by reference. */
  readonly text: string;
  /** One line for people; derived from `text` when absent. */
  readonly preview?: string;
}

export interface Tool<Input extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** For the model. Every call pays for it: short. */
  readonly description: string;
  readonly input: Input;
  readonly effect: EffectClass;
  /** `by-policy`: `plan` decides. */
  readonly approval: 'never' | 'by-policy' | 'always';
  readonly timeoutMs: number;
  /** Characters of the result the model sees at most; head and tail are kept. */
  readonly outputCapChars: number;
  plan(input: z.infer<Input>, context: PlanContext): Promise<ToolPlan> | ToolPlan;
  /** Rejects only for outages and bugs; what the model can act on is a result with status `error`. */
  run(input: z.infer<Input>, context: ToolContext): Promise<ToolResult>;
}

/** Keeps the input type of one definition and erases it for the registry. */
export function defineTool<Input extends z.ZodType>(tool: Tool<Input>): Tool {
  return tool;
}
