import type { Connection } from '@temporalio/client';
import { searchAttributes } from './server-command.ts';

const indexedTypes = { Text: 1, Keyword: 2 } as const;

const secondsPerDay = 24 * 60 * 60;

/**
 * Brings a namespace to what Hermes needs: its search attributes, and retention of months. Idempotent, two reads when
 * nothing is to do. Retention is only ever raised (the server's own default is one day), and left alone when
 * `retentionDays` is null, as on servers that are not ours. Throws what the server
 * answers (no rights, no such namespace, out of attributes).
 */
export async function prepareNamespace(
  connection: Pick<Connection, 'operatorService' | 'workflowService'>,
  namespace: string,
  retentionDays: number | null,
): Promise<void> {
  const existing = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = Object.entries(searchAttributes).filter(([name]) => !(name in existing.customAttributes));
  if (missing.length > 0) {
    const wanted = Object.fromEntries(missing.map(([name, type]) => [name, indexedTypes[type]]));
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: wanted });
  }
  if (retentionDays === null) return;
  const seconds = retentionDays * secondsPerDay;
  const described = await connection.workflowService.describeNamespace({ namespace });
  const current = Number(described.config?.workflowExecutionRetentionTtl?.seconds ?? 0);
  if (current >= seconds) return;
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: { seconds: seconds as never } },
  });
}
