/** One thing that is printed once and stays. */
export type Item =
  | { readonly kind: 'user'; readonly text: string; readonly speaker: string | null; readonly note?: string }
  | { readonly kind: 'answer'; readonly text: string }
  | {
      readonly kind: 'tool';
      readonly name: string;
      readonly summary: string;
      readonly status: string;
      readonly preview: string;
      readonly durationMs: number | null;
    }
  | { readonly kind: 'notice'; readonly text: string; readonly tone: 'info' | 'error' }
  | { readonly kind: 'ask'; readonly ask: Ask };

export interface Ask {
  readonly approvalId: string;
  readonly kind: 'approval' | 'question' | 'budget';
  readonly title: string;
  readonly detail: string;
  readonly choices: readonly string[];
}

export interface RunningTool {
  readonly callKey: string;
  readonly summary: string;
  /** By this process's clock. */
  readonly sinceMs: number;
}
