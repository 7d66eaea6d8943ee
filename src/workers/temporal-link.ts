import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import { z } from 'zod';
import type { ConfigSource } from '../config/source.ts';
import type { Logger } from './log.ts';
import { findExternalTemporal } from './temporal/external.ts';
import { prepareNamespace } from './temporal/namespace.ts';

/** One connection to Temporal for worker and client of a process. */
export interface TemporalLink {
  readonly connection: NativeConnection;
  readonly client: Client;
  readonly namespace: string;
  /** False where the server does not know the Hermes search attributes and would not add them. */
  readonly searchAttributes: boolean;
  readonly address: string;
}

interface Target {
  readonly options: NativeConnectionOptions & { readonly address: string };
  readonly namespace: string;
  readonly embedded: boolean;
  /** Null: retention is not ours to set. */
  readonly retentionDays: number | null;
}

const runFileSchema = z.object({ address: z.string() });
const retryEveryMs = 250;

/**
 * Connects, trying for as long as it takes: a Temporal that is down delays work and loses none. Rejects only when the
 * signal aborts.
 */
export async function connectTemporal(options: {
  readonly source: ConfigSource;
  readonly env: NodeJS.ProcessEnv;
  readonly runFile: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<TemporalLink> {
  let said = '';
  for (;;) {
    options.signal.throwIfAborted();
    try {
      return await connectOnce(await findTarget(options), options.log);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      // One line per outage and reason, not one per try.
      if (words !== said) options.log.warn({ error: words }, 'waiting for temporal');
      said = words;
      await sleep(retryEveryMs, undefined, { signal: options.signal });
    }
  }
}

async function findTarget(options: {
  readonly source: ConfigSource;
  readonly env: NodeJS.ProcessEnv;
  readonly runFile: string;
}): Promise<Target> {
  const { temporal } = options.source.current();
  const external = await findExternalTemporal(temporal, options.env);
  if (external !== undefined) {
    return { options: external.connection, namespace: external.namespace, embedded: false, retentionDays: null };
  }
  const { address } = runFileSchema.parse(JSON.parse(await readFile(options.runFile, 'utf8')));
  // Compression costs more than it saves on loopback.
  const connection = { address, grpcCompression: { codec: 'none' } } as const;
  const { namespace, retentionDays } = temporal;
  return { options: connection, namespace, embedded: true, retentionDays };
}

async function connectOnce(target: Target, log: Logger): Promise<TemporalLink> {
  const connection = await NativeConnection.connect(target.options);
  try {
    const searchAttributes = await prepare(connection, target, log);
    const client = new Client({ connection, namespace: target.namespace });
    return { connection, client, namespace: target.namespace, searchAttributes, address: target.options.address };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function prepare(connection: NativeConnection, target: Target, log: Logger): Promise<boolean> {
  try {
    await prepareNamespace(connection, target.namespace, target.retentionDays);
    return true;
  } catch (error) {
    // A server of one's own may not let us add attributes; everything but the search in its UI works without them.
    if (target.embedded) throw error;
    const words = error instanceof Error ? error.message : String(error);
    log.warn({ error: words }, 'search attributes are not registered; conversations cannot be searched in the UI');
    return false;
  }
}
