import type { TerminalSession } from '../backends/backend.ts';
import type { ActivityDeps, TerminalCall } from './deps.ts';

/** The terminal of one call, opened when the tool asks for it. */
export class CallTerminal {
  private readonly deps: Pick<ActivityDeps, 'terminals' | 'bus'>;
  private readonly call: TerminalCall;
  private readonly stops: readonly AbortSignal[];
  private notice: string | undefined;
  private opening = 0;

  /** @param stops Whichever aborts first ends the wait for the environment, with its reason. */
  constructor(deps: Pick<ActivityDeps, 'terminals' | 'bus'>, call: TerminalCall, stops: readonly AbortSignal[]) {
    this.deps = deps;
    this.call = call;
    this.stops = stops;
  }

  async open(): Promise<TerminalSession> {
    this.opening += 1;
    const { session, notice } = await untilAborted(this.deps.terminals.open(this.call), this.stops);
    this.opening -= 1;
    if (notice !== undefined && this.notice === undefined) {
      this.notice = notice;
      const { conversationId, turn } = this.call;
      this.deps.bus.publish({ conversationId, turn, kind: 'notice', text: notice });
    }
    return session;
  }

  leave(): void {
    this.deps.terminals.leave(this.call);
  }

  /** The result as the model reads it: with a word on where it ran, when that is new. */
  withNotice(text: string): string {
    return this.notice === undefined ? text : `[note: ${this.notice}]\n${text}`;
  }

  /** For a call whose time ran out before it could begin. */
  get whatItWaitedFor(): string {
    if (this.opening === 0) return '';
    return ' The environment was not awake yet; making or waking it goes on. Try again in a minute, or look with `hermes backend status`.';
  }
}

/** The promise, or the reason of the first signal that aborts. What the promise stands for goes on. */
async function untilAborted<T>(promise: Promise<T>, signals: readonly AbortSignal[]): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      const signal = signals.find((one) => one.aborted);
      if (signal !== undefined) reject(signal.reason as Error);
    };
    for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true });
    onAbort();
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    for (const signal of signals) if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
