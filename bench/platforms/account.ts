import { setTimeout as sleep } from 'node:timers/promises';
import type { AccountView } from '../../src/contracts/api-gateway.ts';
import { serviceEntry } from '../../src/workers/supervise/entry.ts';
import { Installation, until } from '../../test/support/installation.ts';
import { configured } from '../../test/support/platforms/configured.ts';
import { knownPlatform, type KnownId, type KnownPlatform } from '../../test/support/platforms/known.ts';
import type { InstantModel } from '../instant-model.ts';

/** An installation with one account of one platform, or with none, whose service is one process that can be restarted. */
export class MeasuredAccount {
  readonly one: Installation;
  readonly platform: KnownPlatform | null;

  private constructor(one: Installation, platform: KnownPlatform | null) {
    this.one = one;
    this.platform = platform;
  }

  /** Nothing runs yet but the platform and what the service needs. */
  static async create(
    id: KnownId | null,
    of: { readonly model: InstantModel; readonly chats: number; readonly nodeOptions?: readonly string[] },
  ): Promise<MeasuredAccount> {
    const platform = id === null ? null : knownPlatform(id);
    await platform?.server.start();
    const allow = platform === null ? [] : Array.from({ length: of.chats }, (_, index) => platform.person(index).id);
    const accounts = platform === null ? [] : [{ ...platform, more: { allow } }];
    const one = await Installation.create({
      ...configured(accounts, { burstPauseMs: 0 }),
      env: {
        HERMES_MODEL_BASE_URL: of.model.baseUrl,
        HERMES_MODEL_NAME: 'instant',
        // As the supervisor starts it.
        NODE_OPTIONS: [
          ...serviceEntry().nodeArgs.filter((arg) => arg.startsWith('--max-')),
          ...(of.nodeOptions ?? []),
        ].join(' '),
      },
    });
    return new MeasuredAccount(one, platform);
  }

  /** @returns milliseconds until the service is ready, and until the account is connected. */
  async start(): Promise<{ readonly readyMs: number; readonly connectedMs: number }> {
    const began = performance.now();
    await this.one.start('all');
    const readyMs = performance.now() - began;
    this.platform?.connect?.(this.one.apiUrl);
    await this.connected();
    return { readyMs, connectedMs: performance.now() - began };
  }

  async stop(): Promise<void> {
    await this.one.terminate('all');
  }

  /** Idempotent. */
  async dispose(): Promise<void> {
    await this.one.dispose();
    await this.platform?.server.stop();
  }

  private async connected(): Promise<void> {
    let scanned = '';
    await until('the account is connected', async () => {
      const { body } = await this.one.request('GET', '/api/gateway/accounts');
      const [account] = (body as { accounts: readonly AccountView[] }).accounts;
      if (account === undefined) return this.platform === null;
      if (account.shown !== null && account.shown !== scanned) {
        scanned = account.shown;
        this.platform?.scan?.(account.shown);
      }
      if (account.state !== 'connected') await sleep(10);
      return account.state === 'connected';
    });
  }
}
