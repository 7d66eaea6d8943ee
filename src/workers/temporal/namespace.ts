import type { Connection } from '@temporalio/client';
import { searchAttributes } from './server-command.ts';

const indexedTypes = { Text: 1, Keyword: 2 } as const;

/** How long closed workflows stay visible on an embedded server; the server's own default is one day. */
export const retentionDays = 180;

const retentionSeconds = retentionDays * 24 * 60 * 60;

/**
 * Brings a namespace to what Hermes needs: its search attributes, and retention of months. Idempotent, two reads when
 * nothing is to do. `retention: false` leaves retention alone, for servers that are not ours. Throws what the server
 * answers (no rights, no such namespace, out of attributes).
 */
export async function prepareNamespace(
  connection: Pick<Connection, 'operatorService' | 'workflowService'>,
  namespace: string,
  options: { readonly retention: boolean } = { retention: true },
): Promise<void> {
  const existing = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(searchAttributes).filter(([name]) => !(name in existing.customAttributes));
  if (missing.length > 0) {
    const wanted = Object.fromEntries(missing.map(([name, type]) => [name, indexedTypes[type]]));
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: wanted });
  }
  if (!options.retention) return;
  const described = await connection.workflowService.describeNamespace({ namespace });
  const current = Number(described.config?.workflowExecutionRetentionTtl?.seconds ?? 0);
  if (current >= retentionSeconds) return;
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: { seconds: retentionSeconds as never } },
  });
}
