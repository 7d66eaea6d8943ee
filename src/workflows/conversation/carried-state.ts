import type { CarriedState, ConversationInput } from '../../contracts/conversation.ts';
import { noUsage } from './usage.ts';

/** Version of {@link ConversationInput}; a run started by older code is migrated here, never refused. */
export const conversationSchemaVersion = 1;

const emptyState: CarriedState = {
  nextTurn: 1,
  queue: [],
  seenInboundIds: [],
  usage: noUsage,
  title: '',
  closing: false,
};

/**
 * Today's form of what a run starts with. Fields added later get their default here, so that a run that was started by
 * an older version, or continues one, has them all.
 */
export function migrateCarriedState(input: ConversationInput): CarriedState {
  return { ...emptyState, ...input.carried };
}
