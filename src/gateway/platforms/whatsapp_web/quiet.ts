import type { ILogger } from 'baileys/lib/Utils/logger.js';
import { SessionRecord } from 'libsignal';
import type { PlatformLog } from '../platform.ts';

/** Baileys' warnings without their fields: those carry messages, keys and addresses. */
export function quietLogger(log: PlatformLog): ILogger {
  const say = (first: unknown, second?: string): void =>
    log.debug({}, `Baileys: ${second ?? (typeof first === 'string' ? first : 'a warning')}`);
  const nothing = (): void => undefined;
  const logger: ILogger = {
    level: 'warn',
    child: () => logger,
    trace: nothing,
    debug: nothing,
    info: nothing,
    warn: say,
    error: say,
  };
  return logger;
}

interface Session {
  readonly indexInfo: { closed: number };
}
interface Record40 {
  readonly sessions: { [key: string]: Session };
}

const sessionsKept = 40;

/** libsignal prints sessions with their private keys to the console; these do the same work and say nothing. */
export function silenceSignal(): void {
  Object.assign(SessionRecord.prototype, {
    closeSession(session: Session): void {
      if (session.indexInfo.closed === -1) session.indexInfo.closed = Date.now();
    },
    openSession(session: Session): void {
      session.indexInfo.closed = -1;
    },
    removeOldSessions(this: Record40): void {
      const closed = Object.entries(this.sessions)
        .filter(([, session]) => session.indexInfo.closed !== -1)
        .sort(([, a], [, b]) => a.indexInfo.closed - b.indexInfo.closed);
      const surplus = Math.max(0, Object.keys(this.sessions).length - sessionsKept);
      for (const [key] of closed.slice(0, surplus)) Reflect.deleteProperty(this.sessions, key);
    },
  });
}
