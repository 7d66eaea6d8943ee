import type { ReplyAddress } from '../../contracts/conversation.ts';
import type { OutboxLane } from '../../store/outbox-ports.ts';
import type { Desk } from './desk.ts';

/**
 * A chat takes nothing any more: what waits for it is given up, and a home chat elsewhere is told, once until something
 * arrives there again.
 */
export async function giveUp(desk: Desk, lane: OutboxLane, reason: string): Promise<void> {
  const { outbox } = desk.store;
  const since = await outbox.lastSent(lane);
  const given = await outbox.failLane(lane, reason);
  desk.deps.log.warn({ ...lane, given, reason }, 'a chat is gone');
  const to = await homeElsewhere(desk, lane);
  if (to === null) return;
  const lost =
    given === 0 ? '' : given === 1 ? ' One message was not delivered.' : ` ${given} messages were not delivered.`;
  await outbox.enqueue({
    id: `gone/${lane.account}/${lane.chat}/${since}`,
    kind: 'text',
    to,
    conversationId: null,
    text: desk.deps.redact(`⚠️ A chat on ${lane.account} cannot be reached any more: ${reason}.${lost}`),
  });
}

async function homeElsewhere(desk: Desk, lane: OutboxLane): Promise<ReplyAddress | null> {
  const ids = desk.accounts.list().map(({ id }) => id);
  // Another platform first: where one chat is gone, the next one of the account may be too.
  for (const id of [...ids.filter((one) => one !== lane.account), ...ids.filter((one) => one === lane.account)]) {
    const home = await desk.deps.home(id);
    if (home !== null && (id !== lane.account || home.chat !== lane.chat)) return { platform: id, ...home };
  }
  return null;
}
