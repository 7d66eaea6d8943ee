import { readFileSync } from 'node:fs';
import { homePaths } from '../../config/home.ts';

/** Where the service listens and what lets a client in. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly token: string;
}

/**
 * Reads `run/api.json` and `api-token` anew, since a service that came back listens on another port.
 *
 * @returns null when no service has announced itself. Never throws for a file that is absent or half-written.
 */
export function readEndpoint(home: string): Endpoint | null {
  const paths = homePaths(home);
  const announced = readText(paths.run.api);
  const token = readText(paths.apiTokenFile)?.trim();
  if (announced === null || token === undefined || token === '') return null;
  const url = urlIn(announced);
  if (url === null) return null;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(url.port === '' ? 80 : url.port), token };
}

/**
 * Whether the supervisor that wrote `run/supervisor.json` died without taking its leave. A clean stop removes the file,
 * and then nobody but the person should start the service again.
 */
export function supervisorCrashed(home: string): boolean {
  const text = readText(homePaths(home).run.supervisor);
  if (text === null) return false;
  const pid = pidIn(text);
  if (pid === null) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // EPERM: it lives and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

function urlIn(text: string): URL | null {
  const url = fieldOf(text, 'url');
  return typeof url === 'string' && URL.canParse(url) ? new URL(url) : null;
}

function pidIn(text: string): number | null {
  const pid = fieldOf(text, 'pid');
  return typeof pid === 'number' && Number.isInteger(pid) && pid > 0 ? pid : null;
}

/** A file that is not (yet) JSON counts as absent: its writer will replace it. */
function fieldOf(text: string, name: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  } catch {
    return undefined;
  }
}
