import type { EnvironmentHandleJson, EnvironmentPhase, EnvironmentRecord } from '../contracts/environment.ts';

export interface EnvironmentRow extends EnvironmentRecord {
  readonly environmentId: string;
  readonly personId: string;
  readonly backend: string;
  readonly awakeSince: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** How a change of an environment ended. */
export interface EnvironmentEnd {
  readonly phase: EnvironmentPhase;
  /** Null: there is nothing (any more). Absent: as it was. */
  readonly handle?: EnvironmentHandleJson | null;
  readonly failure?: { readonly code: string; readonly message: string };
  /** For the log: `woken in 0.4 s`. */
  readonly note: string;
  /** How long making or waking took. */
  readonly tookMs?: number;
}

/**
 * Environments as they are known to be. Changes are fenced: `begin` gives a number that grows, and what an older change
 * still writes is refused, so that an attempt everybody has given up cannot undo the work of the one after it.
 */
export interface EnvironmentRepository {
  get(environmentId: string): Promise<EnvironmentRow | null>;
  /** Newest first. */
  list(filter?: { personId?: string }): Promise<readonly EnvironmentRow[]>;
  /** A change begins. Makes the row where there is none; `row` is as it is now. */
  begin(change: {
    environmentId: string;
    personId: string;
    backend: string;
    phase: EnvironmentPhase;
  }): Promise<{ fence: number; row: EnvironmentRow }>;
  /**
   * Writes the handle under which all files are safe. Rejects with `Storage.Conflict` (not retryable) when a later change
   * has begun: whoever called must let go of nothing.
   */
  commit(environmentId: string, fence: number, handle: EnvironmentHandleJson): Promise<void>;
  /**
   * A change has ended. Counts hours slept and generations, and clears an earlier failure unless there is a new one.
   * A later change's row stays as it is; either way the row as it is now comes back.
   */
  settle(environmentId: string, fence: number, end: EnvironmentEnd): Promise<EnvironmentRow>;
  /** Adds a line to the log. Does nothing where there is no row. */
  note(environmentId: string, line: string): Promise<void>;
}

export interface TerminalUse {
  readonly environmentId: string;
  readonly backend: string;
  /** Backend of the turns before, when this turn is the first one elsewhere. */
  readonly movedFrom: string | null;
}

export interface TerminalUseRepository {
  /**
   * A turn's commands run in this environment. The turn's first word holds: one that already has an environment keeps it.
   * May be undone by a power cut, not by a kill.
   */
  begin(use: { conversationId: string; turn: number; environmentId: string; backend: string }): Promise<TerminalUse>;
  /** Conversations whose commands ran in an environment since then, newest first. */
  conversationsOf(environmentId: string, since: string, limit: number): Promise<readonly string[]>;
}
