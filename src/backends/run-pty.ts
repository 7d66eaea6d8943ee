import { PortError } from '../lib/port-error.ts';
import type { RunStore } from './run-store.ts';

/** Asks once per connection whether the place can make pseudo-terminals, until it can. */
export function createPtyCheck(store: RunStore): { require(): Promise<void> } {
  let known = false;
  return {
    async require() {
      if (known) return;
      await store.ready();
      known = (await store.host.execute(`${store.scripts}/pty.sh`, ['check'])) === 0;
      if (known) return;
      throw new PortError(
        'Terminal.Invalid',
        'There is nothing to make a pseudo-terminal with where commands run: install util-linux (bsdutils on Debian) for `script`, or python3.',
      );
    },
  };
}
