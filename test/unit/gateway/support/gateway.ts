import type { HandOff } from '../../../../src/gateway/commands/hand-off.ts';
import type { Environments } from '../../../../src/gateway/environments.ts';
import type { PlatformControl } from '../../../../src/gateway/platform-control.ts';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { createApi } from '../../../../src/gateway/api/server.ts';
import { loadToken } from '../../../../src/gateway/api/token.ts';
import { createRelay, type RelayDeps } from '../../../../src/gateway/relay.ts';
import { createSubmit } from '../../../../src/gateway/submit.ts';
import { createMemoryBus } from '../../../../src/stream/memory-bus.ts';
import { openTempStore, tempDir } from '../../store/support/open-temp-store.ts';
import { ScriptedConversations } from './scripted-conversations.ts';

/** Everything between a client and the workflows, on a real store and bus, with scripted workflows. */
export async function openGateway(options: Partial<RelayDeps> & { start?: boolean } = {}) {
  const store = await openTempStore();
  const bus = createMemoryBus();
  const conversations = new ScriptedConversations(store, bus);
  const lines: { level: number; msg: string }[] = [];
  const log = pino(
    { level: 'info' },
    { write: (line: string) => lines.push(JSON.parse(line) as { level: number; msg: string }) },
  );
  const relay = createRelay({ store, client: conversations, intervalMs: 50, maxBackoffMs: 100, log, ...options });
  if (options.start !== false) relay.start();
  const submit = createSubmit({ store, relay, bus, personId: 'anna', log });
  onTestFinished(async () => {
    conversations.down = false;
    await relay.stop();
    await conversations.stop();
  });
  const say = (text: string, more: Partial<Parameters<typeof submit>[0]> = {}) =>
    submit({ inboundId: `in-${randomUUID()}`, text, platform: 'cli', ...more });
  return { store, bus, conversations, relay, submit, say, log, lines };
}

/** The same with the HTTP API listening on a free port. */
export async function openApi(
  more: {
    maxBodyBytes?: number;
    allowedHosts?: readonly string[];
    environments?: Partial<Environments>;
    platforms?: Partial<PlatformControl>;
    handOff?: HandOff;
  } = {},
) {
  const gateway = await openGateway();
  const tokenFile = join(tempDir(), 'api-token');
  const api = createApi({
    ...gateway,
    client: gateway.conversations,
    personId: 'anna',
    version: '1.2.3',
    tokenFile,
    allowedHosts: [],
    defaultBusyMode: () => 'steer',
    status: () => Promise.resolve(statusOf()),
    promptSize: () => Promise.resolve({ systemChars: 1, toolSchemaChars: 2, totalChars: 3, text: 'abc' }),
    listModels: () => Promise.resolve({ current: 'test:small', models: [{ id: 'test:large', contextTokens: 1000 }] }),
    ...more,
    environments: { ...more.environments } as Environments,
    platforms: { ...more.platforms } as PlatformControl,
  });
  await api.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => api.close());
  const token = loadToken(tokenFile);
  const url = api.url();
  const request = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const json = async <T = Record<string, unknown>>(method: string, path: string, body?: unknown, expected = 200) => {
    const response = await request(method, path, body);
    const answer = (await response.json()) as T;
    if (response.status !== expected) {
      throw new Error(`${method} ${path}: ${String(response.status)} ${JSON.stringify(answer)}`);
    }
    return answer;
  };
  return { ...gateway, api, url, token, tokenFile, request, json };
}

function statusOf() {
  return {
    ready: true,
    version: '1.2.3',
    home: '/home',
    api: { url: 'http://127.0.0.1:1', tokenFile: '/home/api-token' },
    temporal: { address: '127.0.0.1:7233', uiUrl: null, pid: null },
    worker: { pid: null },
    gateway: { pid: null },
    model: 'test:small',
    backend: 'local',
    openTurns: 0,
    waitingApprovals: 0,
  };
}
