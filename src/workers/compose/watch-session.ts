import type { TerminalSession } from '../../backends/backend.ts';
import { PortError } from '../../lib/port-error.ts';

/** True when an environment turned out to be asleep or gone, whatever was believed of it. */
export function isUnreachable(error: unknown): boolean {
  return PortError.is(error) && (error.code === 'Terminal.Asleep' || error.code === 'Terminal.SessionLost');
}

/** The same session; `onLost` hears when one of its methods finds the environment asleep or gone. */
export function watchSession(session: TerminalSession, onLost: () => void): TerminalSession {
  return new Proxy(session, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: readonly unknown[]): unknown => {
        const result: unknown = Reflect.apply(value, target, args);
        if (result instanceof Promise) {
          result.catch((error: unknown) => {
            if (isUnreachable(error)) onLost();
          });
        }
        return result;
      };
    },
  });
}
