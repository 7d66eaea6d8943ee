/** Keys that name one effect for ever; every part is stable across retries, replays and restarts. */

/** Conversation keys are used in workflow ids, file names and URLs, hence the narrow alphabet. */
const conversationKeyPattern = /^[a-z0-9][a-z0-9._-]{0,119}$/;

export function isConversationId(value: string): boolean {
  return conversationKeyPattern.test(value);
}

/** Key of one model step: `<conversation>/<turn>/<step>`. */
export function stepKey(conversationId: string, turn: number, step: number): string {
  return `${conversationId}/${String(turn)}/${String(step)}`;
}

/** Key of one tool call: `<conversation>/<turn>/<step>/<index>`. */
export function toolCallKey(conversationId: string, turn: number, step: number, index: number): string {
  return `${stepKey(conversationId, turn, step)}/${String(index)}`;
}

/** Id of the question a tool call or a budget asks; derived, so a retry asks the same question. */
export function approvalId(key: string): string {
  return `ask:${key}`;
}
