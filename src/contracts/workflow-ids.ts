export const workflowTypes = { conversation: 'conversation' } as const;

export function conversationWorkflowId(conversationId: string): string {
  return `conversation/${conversationId}`;
}

/** Default task queue of workflows and their short activities; tests and further installations use their own. */
export const defaultTaskQueue = 'hermes';
