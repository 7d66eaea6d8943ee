import type {
  ConfigureRequest,
  ConversationSnapshot,
  DecideRequest,
  DecideResult,
  InboundEnvelope,
  InterruptRequest,
  InterruptResult,
} from '../contracts/conversation.ts';

/** What is known of a conversation whose workflow this signal may start. */
export interface StartHints {
  /** The very request that signals has made the conversation: there is nothing to load from the store. */
  readonly fresh?: boolean;
  readonly title?: string;
  /** Whose conversation it is. */
  readonly personId?: string;
}

/**
 * How the gateway reaches conversation workflows.
 * Contract: every method rejects with a PortError and with nothing else; a retryable one means that the workflow service
 * cannot be reached now.
 */
export interface ConversationClient {
  /**
   * Signals the conversation, starting it where it does not run. Resolves once the signal is durable. The same inbound id
   * twice is harmless.
   */
  inbound(conversationId: string, envelope: InboundEnvelope, start?: StartHints): Promise<void>;
  interrupt(conversationId: string, request: InterruptRequest): Promise<InterruptResult>;
  /** `accepted` is false where nothing waits, also when the conversation does not run at all. */
  decide(conversationId: string, request: DecideRequest): Promise<DecideResult>;
  /** Does nothing where the conversation does not run: it reads the store when it starts. */
  configure(conversationId: string, request: ConfigureRequest): Promise<void>;
  /** Null when the conversation does not run. */
  snapshot(conversationId: string): Promise<ConversationSnapshot | null>;
}
