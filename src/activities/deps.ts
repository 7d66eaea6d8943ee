import type { Backend, TerminalSession } from '../backends/backend.ts';
import type { JsonValue } from '../contracts/json.ts';
import type { Budget } from '../domain/budget.ts';
import type { GenerateControl, ModelAnswer, ModelRequest } from '../models/provider.ts';
import type { Store } from '../store/ports.ts';
import type { StreamBus } from '../stream/bus.ts';
import type { ToolRegistry } from '../tools/registry.ts';
import type { ToolDeps } from '../tools/tool-deps.ts';

/** Everything activities may touch; the composition root of the worker fills it in. */
export interface ActivityDeps {
  readonly store: Store;
  readonly bus: StreamBus;
  readonly models: ModelGateway;
  readonly tools: ToolRegistry;
  readonly toolDeps: () => ToolDeps;
  readonly terminals: TerminalAccess;
  /** A backend by its id, as it is configured now. Rejects with a PortError. */
  readonly backendOf: (id: string) => Promise<Backend>;
  /** Read at every step, so that a change takes effect without a restart. */
  readonly settings: () => AgentSettings;
  /** Aborts when this worker is asked to stop: attachable work is handed over at once. */
  readonly draining: AbortSignal;
  readonly redact: (text: string) => string;
  readonly log: ActivityLog;
}

/** Whose call a terminal is opened for. */
export interface TerminalCall {
  readonly conversationId: string;
  readonly personId: string;
  readonly turn: number;
  readonly callKey: string;
}

/** How calls get at the environment their conversation works in. */
export interface TerminalAccess {
  /**
   * Opens it, awake; it stays so until the call leaves. May take as long as making an environment takes. Rejects with a
   * PortError `Terminal.*`, which is `Terminal.NeedsDecision` when a person must decide something first.
   */
  open(call: TerminalCall): Promise<OpenedTerminal>;
  /** The call has ended. Never throws; for a call that opened nothing it does nothing. */
  leave(call: TerminalCall): void;
  /** The turn has ended: what it held may sleep. Never throws. */
  endTurn(turn: { readonly conversationId: string; readonly turn: number }): void;
  /** Carries out what a person has approved of a `Terminal.NeedsDecision`. Idempotent. Rejects with a PortError. */
  resolveQuestion(call: TerminalCall, details: Readonly<Record<string, JsonValue>>): Promise<void>;
}

export interface OpenedTerminal {
  readonly session: TerminalSession;
  /** Set once per turn, for the first call in a place where the conversation's commands have not run before. */
  readonly notice?: string;
}

export interface ActivityLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface AgentSettings {
  readonly agentName: string;
  /** The person's own words for the system prompt. */
  readonly instructions: string;
  readonly budget: Budget;
  readonly backend: string;
  /** What the model is told of where the person writes from. */
  readonly describePlatform: (platform: string) => string;
}

/** The models as the conversation sees them: a chain with its fall-backs already resolved. */
export interface ModelGateway {
  /**
   * @param reference `provider:name` of the conversation, or null for the configured model.
   * Contract: like `ModelProvider.generate`; `onReset` tells that another model starts over and shown text is void.
   */
  generate(
    reference: string | null,
    request: Omit<ModelRequest, 'model'>,
    control: GenerateControl & { readonly onReset: (notice: string) => void },
  ): Promise<{ readonly answer: ModelAnswer; readonly provider: string; readonly costUsd: number }>;
  /** Room of the model's context in tokens, and the name to show. */
  describe(reference: string | null): { readonly label: string; readonly contextTokens: number };
}
