import type { Store } from '../../store/ports.ts';
import type { PlatformAddress } from '../platforms/platform.ts';

/** The chat of an account that "home" means: the one `/sethome` chose, else the configured one. Null: there is none. */
export type HomeOf = (account: string) => Promise<PlatformAddress | null>;

const valueName = 'gateway.home';

export function createHomeOf(deps: {
  readonly store: Pick<Store, 'platformValues'>;
  /** Of the configuration, whether the account is connected just now or not. */
  readonly configuredHome: (account: string) => string | null;
}): HomeOf {
  return async (account) => {
    const chosen = await deps.store.platformValues.load(account, valueName);
    if (chosen !== null) return JSON.parse(chosen) as PlatformAddress;
    const configured = deps.configuredHome(account);
    return configured === null ? null : { chat: configured };
  };
}

/** Rejects as the store does. */
export async function setHome(store: Store, account: string, home: PlatformAddress): Promise<void> {
  await store.platformValues.save(account, { [valueName]: JSON.stringify(home) });
}
