export const workflowTypes = { conversation: 'conversation', environment: 'environment' } as const;

export function conversationWorkflowId(conversationId: string): string {
  return `conversation/${conversationId}`;
}

export function environmentWorkflowId(environmentId: string): string {
  return `environment/${environmentId}`;
}

/** Default task queue of workflows and their short activities; tests and further installations use their own. */
export const defaultTaskQueue = 'hermes';
