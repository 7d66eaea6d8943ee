import type { PlannedToolCall } from '../contracts/activities.ts';
import { approvalId, toolCallKey } from '../domain/ids.ts';
import type { RawToolCall } from '../models/provider.ts';
import type { NewApproval, PlannedCallRow } from '../store/ports.ts';
import type { PlanContext } from '../tools/define-tool.ts';
import type { PlannedTool, ToolRegistry } from '../tools/registry.ts';

export interface PlannedStep {
  readonly planned: readonly PlannedCallRow[];
  readonly rejected: readonly { index: number; toolCallId: string; name: string; text: string }[];
  readonly approvals: readonly NewApproval[];
  /** What the workflow gets. */
  readonly calls: readonly PlannedToolCall[];
}

/** A model that makes more calls than this in one step is mistaken; the rest is answered, not run. */
const maxCallsPerStep = 32;

/** Turns a model's calls into rows, questions and the workflow's view of them. Effect free. */
export async function planCalls(
  where: { readonly conversationId: string; readonly turn: number; readonly step: number },
  rawCalls: readonly RawToolCall[],
  tools: ToolRegistry,
  context: PlanContext,
): Promise<PlannedStep> {
  const planned: PlannedCallRow[] = [];
  const rejected: { index: number; toolCallId: string; name: string; text: string }[] = [];
  const approvals: NewApproval[] = [];
  const calls: PlannedToolCall[] = [];
  for (const [index, raw] of rawCalls.entries()) {
    const reject = (text: string): void => {
      rejected.push({ index, toolCallId: raw.id, name: raw.name, text });
    };
    if (index >= maxCallsPerStep) {
      reject(`Not run: at most ${String(maxCallsPerStep)} calls fit into one step. Make the rest in the next step.`);
      continue;
    }
    const result = await tools.plan(raw, context);
    if (result.kind === 'rejected') {
      reject(result.text);
      continue;
    }
    if (result.plan.blocked !== undefined) {
      reject(`Refused, and no one can allow it: ${result.plan.blocked}`);
      continue;
    }
    const callKey = toolCallKey(where.conversationId, where.turn, where.step, index);
    const ask = questionOf(callKey, result);
    if (ask !== null) approvals.push(ask);
    const effect = result.plan.effect ?? result.effect;
    const timeoutMs = result.plan.timeoutMs ?? result.timeoutMs;
    planned.push({
      callKey,
      index,
      toolCallId: raw.id,
      name: result.name,
      argumentsText: raw.argumentsText,
      summary: result.plan.summary,
      effect,
      timeoutMs,
    });
    calls.push({
      callKey,
      index,
      name: result.name,
      summary: clip(result.plan.summary, 200),
      effect,
      timeoutMs,
      ...(ask === null
        ? {}
        : {
            ask: {
              approvalId: ask.id,
              kind: ask.kind === 'question' ? ('question' as const) : ('approval' as const),
              title: clip(ask.title, 200),
            },
          }),
    });
  }
  return { planned, rejected, approvals, calls };
}

function questionOf(callKey: string, tool: Extract<PlannedTool, { kind: 'planned' }>): NewApproval | null {
  const common = { id: approvalId(callKey), tool: tool.name, callKey };
  if (tool.plan.question !== undefined) {
    const { text, choices } = tool.plan.question;
    return { ...common, kind: 'question', title: text, detail: '', choices, ruleKey: null };
  }
  if (tool.plan.approval !== undefined) {
    const { title, reason, ruleKey } = tool.plan.approval;
    return { ...common, kind: 'approval', title, detail: reason, choices: ['approve', 'deny'], ruleKey };
  }
  return null;
}

/** First characters of a text, in one line. */
export function clip(text: string, max: number): string {
  const line = text.replace(/\s+/gu, ' ').trim();
  return line.length <= max ? line : `${line.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/u, '')}…`;
}
