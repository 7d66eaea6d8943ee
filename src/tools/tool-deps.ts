/** The stores and settings tools may use, as ports; the composition root fills them in. */
export interface ToolDeps {
  readonly settings: ToolSettings;
  readonly search: ConversationSearch;
  readonly todos: TodoStore;
  readonly memories: MemoryStore;
  readonly blobs: BlobStore;
  readonly rules: AllowRuleReader;
  /** Removes secrets from text that leaves the tool. */
  readonly redact: (text: string) => string;
  /** Absent where there are no chat platforms at all. */
  readonly outbound?: FileOutbound;
}

/** Files on their way to the chat a turn came from. */
export interface FileOutbound {
  /** Largest file that chat takes; null when the turn came from no chat. */
  fileLimit(of: { conversationId: string; turn: number }): Promise<number | null>;
  /** Puts it in the outbox; durable when it resolves. Idempotent by `key`. The caption is Markdown, maybe empty. */
  sendFile(file: {
    key: string;
    conversationId: string;
    turn: number;
    name: string;
    mediaType: string;
    caption: string;
    blobId: string;
    sizeBytes: number;
  }): Promise<void>;
}

export interface ToolSettings {
  readonly backend: string;
  /** Limit of a foreground command when the model names none. */
  readonly commandTimeoutMs: number;
  readonly maxCommandTimeoutMs: number;
  /** `ask`: the ask list asks; `deny`: it refuses; `off`: only the block list holds. */
  readonly approvals: 'ask' | 'deny' | 'off';
  readonly web: {
    readonly allowPrivateAddresses: boolean;
    readonly maxBytes: number;
    readonly maxRedirects: number;
    readonly timeoutMs: number;
  };
  /** Names of variables of the service that commands may see beside the harmless ones. */
  readonly envPassthrough: readonly string[];
  /** Home folder of the environment commands run in, where known; sharpens the command policy. */
  readonly homeFolder?: string;
  /** This program's own folder, as commands see it; default `<homeFolder>/.hermes`. */
  readonly hermesHome?: string;
}

export interface SearchHit {
  readonly conversationId: string;
  readonly title: string;
  readonly at: string;
  readonly speaker: string;
  readonly excerpt: string;
  readonly score: number;
}
export interface ConversationSearch {
  search(query: { personId: string; text: string; maxResults: number }): Promise<readonly SearchHit[]>;
  load(query: {
    personId: string;
    conversationId: string;
    maxChars: number;
  }): Promise<{ title: string; text: string; messageCount: number } | null>;
}

export interface TodoItem {
  readonly text: string;
  readonly state: 'open' | 'doing' | 'done';
}
export interface TodoStore {
  read(conversationId: string): Promise<readonly TodoItem[]>;
  write(conversationId: string, items: readonly TodoItem[]): Promise<void>;
}

export interface Memory {
  readonly id: string;
  readonly text: string;
  readonly createdAt: string;
}
export interface MemoryStore {
  list(personId: string): Promise<readonly Memory[]>;
  /** Idempotent by `key`. */
  add(memory: { key: string; personId: string; text: string; conversationId: string; turn: number }): Promise<Memory>;
  replace(id: string, personId: string, text: string): Promise<boolean>;
  remove(id: string, personId: string): Promise<boolean>;
}

export interface BlobStore {
  /** Idempotent by id. */
  put(blob: { id: string; conversationId: string; mediaType: string; bytes: Buffer }): Promise<void>;
  get(
    id: string,
    range?: { offset: number; maxBytes: number },
  ): Promise<{ bytes: Buffer; sizeBytes: number; mediaType: string } | null>;
}

export interface AllowRule {
  readonly id: string;
  readonly tool: string;
  readonly ruleKey: string;
  /** Null: in every conversation of the person. */
  readonly conversationId: string | null;
  readonly createdAt: string;
}
export interface AllowRuleReader {
  allows(rule: { personId: string; conversationId: string; tool: string; ruleKey: string }): Promise<boolean>;
}
