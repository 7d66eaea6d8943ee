import { Readable } from 'node:stream';
import type { JsonValue } from '../../../contracts/json.ts';
import { PortError } from '../../../lib/port-error.ts';
import { fields, words } from '../json-fields.ts';
import { callLimitMs, type SlackApi } from './api.ts';
import { readReference } from './read-files.ts';

export interface FetchFileOptions {
  readonly api: SlackApi;
  readonly apiUrl: string;
  readonly token: string;
}

/** Opens a file of a message. The token goes to Slack's own hosts only, and never along with a redirect. */
export async function fetchFile(
  { api, apiUrl, token }: FetchFileOptions,
  reference: JsonValue,
  signal: AbortSignal,
): Promise<{ readonly stream: Readable; readonly sizeBytes: number | null }> {
  const file = readReference(reference);
  if (file === null) throw new PortError('Platform.MessageRejected', 'this is no file of Slack');
  const url = file.url ?? (await askUrl(api, file.id, signal));
  if (!isOfSlack(url, apiUrl)) throw new PortError('Platform.MessageRejected', 'the file is not kept by Slack');

  const ending = new AbortController();
  const end = (): void => ending.abort();
  signal.addEventListener('abort', end, { once: true });
  // Until the answer begins; how long the rest takes is the size's affair.
  const timer = setTimeout(end, callLimitMs);
  let response: Response;
  try {
    if (signal.aborted) end();
    response = await fetch(url, {
      headers: { authorization: `Bearer ${token}` },
      redirect: 'manual',
      signal: ending.signal,
    });
  } catch {
    signal.removeEventListener('abort', end);
    throw new PortError('Platform.Unavailable', 'the file cannot be fetched from Slack now');
  } finally {
    clearTimeout(timer);
  }
  if (response.status !== 200 || response.body === null) {
    signal.removeEventListener('abort', end);
    await response.body?.cancel();
    throw refused(response.status);
  }
  const stream = Readable.fromWeb(response.body);
  stream.once('close', () => signal.removeEventListener('abort', end));
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  const coded = response.headers.get('content-encoding') !== null;
  return { stream, sizeBytes: Number.isSafeInteger(length) && !coded ? length : null };
}

async function askUrl(api: SlackApi, id: string, signal: AbortSignal): Promise<string> {
  const answer = await api.call('files.info', { file: id }, { repeating: 'nothing', signal });
  const file = fields(answer['file']);
  const url = words(file['url_private_download']) ?? words(file['url_private']);
  if (url === null) throw new PortError('Platform.MessageRejected', 'Slack does not say where the file is');
  return url;
}

function isOfSlack(url: string, apiUrl: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, host } = new URL(url);
  if (host === new URL(apiUrl).host) return true;
  return protocol === 'https:' && /(^|\.)(slack|slack-files|slack-edge)\.com$/.test(hostname);
}

function refused(status: number): PortError {
  const details = { status };
  if (status === 401 || status === 403 || (status >= 300 && status < 400)) {
    // Slack leads to its sign-in page when the right is missing.
    return new PortError('Platform.Authentication', 'Slack does not give out the file; is files:read granted?', {
      details,
    });
  }
  const gone = status === 404 || status === 410;
  return new PortError(
    gone ? 'Platform.MessageRejected' : 'Platform.Unavailable',
    gone ? 'Slack does not have the file any more' : `Slack answers for the file with ${status}`,
    { details },
  );
}
