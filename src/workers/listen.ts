import type { Api } from '../gateway/api/server.ts';
import type { Logger } from './log.ts';

/**
 * Listens where the configuration says; when that port is taken by something else, on a free one, so that two
 * installations can live on one machine. Clients find the address in run/api.json.
 */
export async function listenSomewhere(
  api: Api,
  wanted: { readonly host: string; readonly port: number },
  log: Logger,
): Promise<void> {
  try {
    await api.listen(wanted);
  } catch (error) {
    log.warn({ error: error instanceof Error ? error.message : String(error) }, 'taking another port for the API');
    await api.listen({ host: wanted.host, port: 0 });
  }
}
