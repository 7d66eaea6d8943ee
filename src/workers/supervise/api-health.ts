import { get } from 'node:http';

/** True when `GET <url>/health` answers 200 within the limit. Never throws. */
export function answersHealth(url: string, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(new URL('/health', url), { timeout: limitMs, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
    request.once('close', () => resolve(false));
  });
}
