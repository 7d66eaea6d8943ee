/** One entry of a transcript as a model sees it. */
export type ModelMessage =
  | { readonly role: 'user'; readonly text: string }
  | {
      readonly role: 'assistant';
      readonly text: string;
      readonly toolCalls: readonly RawToolCall[];
    }
  | { readonly role: 'tool'; readonly callId: string; readonly name: string; readonly text: string };

/** A call exactly as the model wrote it; `argumentsText` may be broken JSON. */
export interface RawToolCall {
  readonly id: string;
  readonly name: string;
  readonly argumentsText: string;
}

export interface ToolSchema {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ModelRequest {
  readonly model: string;
  readonly system: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ToolSchema[];
  readonly maxOutputTokens?: number;
}

export interface ModelUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Part of `inputTokens` that came from the provider's cache. */
  readonly cachedInputTokens: number;
  /** What the provider itself says it cost, where it says so. */
  readonly costUsd?: number;
}

export interface ModelAnswer {
  readonly text: string;
  /** Kept apart: shown if wanted, never sent back to a model. */
  readonly reasoning: string;
  readonly toolCalls: readonly RawToolCall[];
  readonly usage: ModelUsage;
  readonly finishReason: 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'other';
  /** The name the provider answered with. */
  readonly model: string;
}

export interface GenerateControl {
  readonly signal: AbortSignal;
  readonly onDelta: (delta: { readonly channel: 'answer' | 'reasoning'; readonly text: string }) => void;
}

export interface ModelDescription {
  readonly name: string;
  readonly contextTokens?: number;
}

/**
 * One way to reach language models.
 * Contract of `generate`: runs a model at most once and never retries (a request refused for a field the server does not
 * know may be put again without it, since nothing has run); aborting `signal` aborts the request and
 * rejects with the signal's reason; every other failure is a PortError with a `Model.*` code.
 */
export interface ModelProvider {
  readonly id: string;
  generate(request: ModelRequest, control: GenerateControl): Promise<ModelAnswer>;
  /** Models the endpoint offers. Rejects with a PortError. */
  listModels(signal: AbortSignal): Promise<readonly ModelDescription[]>;
}
