/**
 * What a tool call does to the world, and so what is right when its outcome is unknown after a crash:
 * `read` and `idempotent` run again, `attachable` is found again by its key, `once` is never repeated.
 */
export type EffectClass = 'read' | 'idempotent' | 'attachable' | 'once';

/** How a tool call ended, as far as it can be known. */
export type ToolStatus =
  | 'ok'
  | 'error'
  | 'denied'
  | 'cancelled'
  | 'timed-out'
  /** Started, and nobody can say whether it took effect. */
  | 'uncertain';

/** Whether calls of this class may run beside others of the same step. */
export function runsInParallel(effect: EffectClass): boolean {
  return effect === 'read';
}
