import { setImmediate } from 'node:timers/promises';
import type { BaseLogger } from 'pino';

/** How a step of a lane ended: there may be more, there is nothing, or it is tried again later. */
export type LaneStep =
  | 'more'
  | 'idle'
  /** `onWake`: whether something new in the lane ends the wait. */
  | { readonly waitMs: number; readonly onWake: boolean };

export interface EventLanesDeps {
  /** Lanes with something to do in the store, without those named. */
  open(except: readonly string[], limit: number): Promise<readonly string[]>;
  /** Does the next thing of a lane. Does not reject. */
  step(lane: string): Promise<LaneStep>;
  readonly log: BaseLogger;
  readonly atOnce: number;
}

interface RunningLane {
  /** Something new came while its step ran. */
  woken: boolean;
  ended: Promise<void>;
}

/**
 * Runs lanes side by side, each one step after the other. The store is what knows which lanes there are; in memory are
 * only those at work and those that wait for a moment.
 */
export class EventLanes {
  private readonly deps: EventLanesDeps;
  private readonly running = new Map<string, RunningLane>();
  private readonly waiting = new Map<string, { timer: NodeJS.Timeout; onWake: boolean }>();
  /** The store may know lanes that are not in memory. */
  private more = true;
  private filling = false;
  private started = false;
  private stopped = false;
  private lookAgain: NodeJS.Timeout | null = null;

  constructor(deps: EventLanesDeps) {
    this.deps = deps;
  }

  /** Begins with what an earlier process left behind. */
  start(): void {
    this.started = true;
    void this.fill();
  }

  /** There is something new in this lane. */
  wake(lane: string): void {
    const running = this.running.get(lane);
    if (running !== undefined) running.woken = true;
    else if (this.waiting.get(lane)?.onWake !== false) this.launch(lane);
  }

  /** Everything that waits is tried now. */
  nudge(): void {
    this.more = true;
    for (const lane of [...this.waiting.keys()]) this.launch(lane);
    void this.fill();
  }

  /** Resolves when the steps under way have ended. Idempotent. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
    if (this.lookAgain !== null) clearTimeout(this.lookAgain);
    await Promise.all([...this.running.values()].map(({ ended }) => ended));
  }

  private launch(lane: string): void {
    if (!this.started || this.stopped) return;
    clearTimeout(this.waiting.get(lane)?.timer);
    this.waiting.delete(lane);
    if (this.running.size >= this.deps.atOnce) {
      this.more = true;
      return;
    }
    const entry: RunningLane = { woken: false, ended: Promise.resolve() };
    this.running.set(lane, entry);
    entry.ended = this.run(lane, entry);
  }

  private async run(lane: string, entry: RunningLane): Promise<void> {
    let step: LaneStep = 'more';
    while (!this.stopped) {
      entry.woken = false;
      step = await this.deps.step(lane);
      if (!goesOn(step, entry)) break;
      // A long backlog must let everything else of the process have its turn.
      await setImmediate();
    }
    this.running.delete(lane);
    if (this.stopped) return;
    if (typeof step === 'object') this.waitFor(lane, step);
    if (this.more) void this.fill();
  }

  private waitFor(lane: string, { waitMs, onWake }: Exclude<LaneStep, string>): void {
    const timer = setTimeout(() => this.launch(lane), waitMs);
    timer.unref();
    this.waiting.set(lane, { timer, onWake });
  }

  /** Takes lanes out of the store as long as there is room. */
  private async fill(): Promise<void> {
    if (this.filling || !this.started) return;
    this.filling = true;
    try {
      while (this.more && !this.stopped && this.running.size < this.deps.atOnce) {
        this.more = false;
        const limit = this.deps.atOnce - this.running.size;
        const lanes = await this.deps.open([...this.running.keys(), ...this.waiting.keys()], limit);
        if (lanes.length === limit) this.more = true;
        for (const lane of lanes) if (!this.running.has(lane)) this.launch(lane);
      }
    } catch (error) {
      this.more = true;
      this.deps.log.warn({ err: error }, 'events that wait cannot be looked up; it is tried again');
      this.lookAgain = setTimeout(() => void this.fill(), 1_000);
      this.lookAgain.unref();
    } finally {
      this.filling = false;
    }
  }
}

function goesOn(step: LaneStep, { woken }: RunningLane): boolean {
  return step === 'more' || (woken && (step === 'idle' || step.onWake));
}
