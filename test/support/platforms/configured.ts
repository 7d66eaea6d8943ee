import type { PlatformDescriptor } from '../../../src/gateway/platforms/platform.ts';
import type { PlatformServer } from './platform-server.ts';

/** What must stand in config.yaml and secrets.yaml so that an installation talks to these servers, which have started. */
export function configured(
  accounts: readonly {
    readonly descriptor: PlatformDescriptor;
    readonly server: PlatformServer;
    readonly more?: object;
  }[],
  gateway: object = {},
): { readonly config: object; readonly secrets: object } {
  const plain: Record<string, unknown> = {};
  const secret: Record<string, unknown> = {};
  for (const { descriptor, server, more } of accounts) {
    const entries = Object.entries(server.settings());
    const isSecret = ([key]: readonly [string, unknown]): boolean => descriptor.settings[key]?.kind === 'secret';
    plain[descriptor.id] = { enabled: true, ...Object.fromEntries(entries.filter((one) => !isSecret(one))), ...more };
    secret[descriptor.id] = Object.fromEntries(entries.filter(isSecret));
  }
  return { config: { gateway: { ...gateway, ...plain } }, secrets: { gateway: secret } };
}
