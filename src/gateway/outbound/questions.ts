import type { OutboxRow } from '../../store/outbox-ports.ts';
import { render } from '../format/render.ts';
import { verdictOf } from './choices.ts';
import { inMs, laneOf, type Desk } from './desk.ts';
import { editOnce } from './one-part.ts';

/** Redraws questions that have been decided, wherever that was: no buttons any more, and one line how. */
export class Questions {
  private readonly desk: Desk;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** What has been decided since the last look, also before a restart. */
  async sweep(): Promise<void> {
    const rows = await this.desk.store.outbox.decidedAsks(new Date().toISOString(), 50);
    for (const row of rows) this.desk.doAside(row, () => this.redraw(row.id));
  }

  /** Somebody has the question before them: where its sending was in doubt, it is not any more. */
  async seen(row: OutboxRow, messageId: string): Promise<void> {
    const index = shownAt(row);
    const parts = row.parts ?? [];
    if (parts[index]?.state !== 'ambiguous') return;
    const certain = parts.map((part, at) => (at === index ? { ...part, state: 'sent' as const, messageId } : part));
    const isCertain = certain.every(({ state }) => state === 'sent');
    const end = isCertain ? { state: 'sent' as const, error: null } : {};
    await this.desk.store.outbox.change({ id: row.id, parts: certain, open: true, ...end });
  }

  private async redraw(id: string): Promise<void> {
    const { outbox, approvals } = this.desk.store;
    const row = await outbox.get(id);
    if (row?.open !== true || row.approvalId === null) return;
    const account = this.desk.account(laneOf(row));
    // It keeps; nobody can press the buttons of an account that is away.
    if (account === undefined) return outbox.change({ id, nextTryAt: inMs(10_000) });
    const approval = await approvals.get(row.approvalId);
    const index = shownAt(row);
    const part = row.parts?.[index];
    if (approval === null || part?.messageId === undefined) return outbox.change({ id, open: false });
    const { dialect, text } = account.descriptor.capabilities;
    const [line] = render(this.desk.deps.redact(verdictOf(approval)), { dialect, max: text.max, unit: text.unit });
    const redrawn = line === undefined ? part.text : `${part.text}\n\n${line}`;
    const one = { row, index, account };
    const verdict = await editOnce(this.desk, part.messageId, { text: redrawn }, one);
    if (verdict.kind === 'later') {
      const nextTryAt = inMs(verdict.afterMs ?? this.desk.backoffMs(row.attempts));
      return outbox.change({ id, attempts: row.attempts + 1, nextTryAt });
    }
    if (verdict.kind !== 'sent') this.desk.deps.log.debug({ outboxId: id, verdict }, 'a question is not redrawn');
    return outbox.change({ id, open: false, attempts: 0, nextTryAt: null });
  }
}

/** Buttons are under the last part. */
function shownAt({ parts }: OutboxRow): number {
  return (parts?.length ?? 0) - 1;
}
