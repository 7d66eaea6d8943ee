import { z } from 'zod';
import type { ActivityDeps, ModelGateway, TerminalAccess } from '../../../../src/activities/deps.ts';
import type { StreamEvent } from '../../../../src/contracts/stream.ts';
import type { Budget } from '../../../../src/domain/budget.ts';
import type { EffectClass } from '../../../../src/domain/effect.ts';
import { createRedactor } from '../../../../src/lib/redact.ts';
import type { ModelAnswer } from '../../../../src/models/provider.ts';
import type { Store } from '../../../../src/store/ports.ts';
import { createMemoryBus } from '../../../../src/stream/memory-bus.ts';
import {
  defineTool,
  type Tool,
  type ToolContext,
  type ToolPlan,
  type ToolResult,
} from '../../../../src/tools/define-tool.ts';
import { createToolRegistry } from '../../../../src/tools/registry.ts';
import { commitOf, usage } from '../../store/support/commit-of.ts';
import { openTempStore } from '../../store/support/open-temp-store.ts';

export const conversationId = 'talk';
export const personId = 'anna';
export const secret = 'sk-proj-0123456789abcdefghijklmnopqrstuvwxyzABCD';

const noLimits: Budget = {
  maxSteps: null,
  maxTokens: null,
  maxCostUsd: null,
  maxCostPerDayUsd: null,
  maxWallTimeMs: null,
};

export interface BenchParts {
  readonly tools?: readonly Tool[];
  readonly generate?: ModelGateway['generate'];
  readonly contextTokens?: number;
  readonly budget?: Partial<Budget>;
  readonly terminals?: Partial<TerminalAccess>;
}

export interface ActivityBench {
  readonly deps: ActivityDeps;
  readonly store: Store;
  readonly events: StreamEvent[];
  readonly draining: AbortController;
  /** Accepts a message. @returns its id. */
  accept(id: string, text?: string): Promise<string>;
  /** A first step that has planned one call of the given tool. @returns the call's key. */
  plan(tool: string, more?: { effect?: EffectClass; timeoutMs?: number }): Promise<string>;
}

/** What activities are given in production, with a real store and bus, and scripted models, tools and platforms. */
export async function openActivityBench(parts: BenchParts = {}): Promise<ActivityBench> {
  const store = await openTempStore();
  await store.conversations.create({ id: conversationId, personId, platform: 'cli' });
  const bus = createMemoryBus();
  const events: StreamEvent[] = [];
  bus.subscribe(conversationId, (event) => events.push(event));
  const draining = new AbortController();
  const redact = createRedactor({ known: [secret] });
  const unexpected = (what: string): never => {
    throw new Error(`${what} was not expected`);
  };
  const deps: ActivityDeps = {
    store,
    bus,
    models: {
      generate: parts.generate ?? (() => unexpected('a model call')),
      describe: () => ({ label: 'test:model', contextTokens: parts.contextTokens ?? 100_000 }),
    },
    tools: createToolRegistry(parts.tools ?? []),
    toolDeps: () => ({
      settings: {
        backend: 'local',
        commandTimeoutMs: 1_000,
        maxCommandTimeoutMs: 1_000,
        approvals: 'ask',
        web: { allowPrivateAddresses: false, maxBytes: 1, maxRedirects: 0, timeoutMs: 1 },
        envPassthrough: [],
      },
      search: store.search,
      todos: store.todos,
      memories: store.memories,
      blobs: store.blobs,
      rules: store.rules,
      redact,
    }),
    terminals: {
      open: () => unexpected('a terminal'),
      leave: () => undefined,
      endTurn: () => undefined,
      resolveQuestion: () => unexpected('a question of a terminal'),
      ...parts.terminals,
    },
    backendOf: () => unexpected('a backend'),
    settings: () => ({
      describePlatform: (platform: string) => platform,
      agentName: 'Hermes',
      instructions: '',
      backend: 'local',
      budget: { ...noLimits, ...parts.budget },
    }),
    draining: draining.signal,
    redact,
    log: { info: () => undefined, warn: () => undefined },
  };
  const accept = async (id: string, text = 'hello'): Promise<string> => {
    await store.inbox.accept({ id, conversationId, personId, platform: 'cli', text });
    return id;
  };
  const plan = async (name: string, more: { effect?: EffectClass; timeoutMs?: number } = {}): Promise<string> => {
    const callKey = `${conversationId}/1/1/0`;
    await store.steps.begin({ conversationId, turn: 1, step: 1, inboundIds: [await accept('in-1')] });
    await store.steps.commit(
      commitOf(conversationId, 1, 1, {
        text: '',
        toolCalls: [{ id: 'call-0', name, argumentsText: '{}' }],
        planned: [
          {
            callKey,
            index: 0,
            toolCallId: 'call-0',
            name,
            argumentsText: '{}',
            summary: name,
            effect: more.effect ?? 'read',
            timeoutMs: more.timeoutMs ?? 5_000,
          },
        ],
        outcome: { kind: 'tools', usage, preview: '', calls: [] },
      }),
    );
    return callKey;
  };
  return { deps, store, events, draining, accept, plan };
}

/** A tool without arguments that counts its runs. */
export function smallTool(
  run: (context: ToolContext, count: number) => Promise<ToolResult> | ToolResult,
  more: { readonly plan?: () => Partial<ToolPlan>; readonly outputCapChars?: number } = {},
): Tool & { readonly runs: () => number } {
  let count = 0;
  const tool = defineTool({
    name: 'small',
    description: 'A tool of the tests.',
    input: z.object({}),
    effect: 'read',
    approval: 'by-policy',
    timeoutMs: 5_000,
    outputCapChars: more.outputCapChars ?? 10_000,
    plan: () => ({ summary: 'small', ...more.plan?.() }),
    run: async (_input, context) => {
      count += 1;
      return run(context, count);
    },
  });
  return { ...tool, runs: () => count };
}

/** Rejects with the reason of whichever signal aborts first, as a tool that can be stopped does. */
export async function untilAborted(...signals: readonly AbortSignal[]): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const signal of signals) {
      const stop = (): void => reject(signal.reason as Error);
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    }
  });
}

export function answerOf(more: Partial<ModelAnswer> = {}): Awaited<ReturnType<ModelGateway['generate']>> {
  return {
    answer: {
      text: 'an answer',
      reasoning: '',
      toolCalls: [],
      usage: { inputTokens: 10, outputTokens: 5, cachedInputTokens: 0 },
      finishReason: 'stop',
      model: 'model',
      ...more,
    },
    provider: 'test',
    costUsd: 0.25,
  };
}
