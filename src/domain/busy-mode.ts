/**
 * What a message does that arrives while a turn runs: `steer` is seen by the turn's next step, `queue` waits for
 * its own turn, `interrupt` stops the turn and starts its own.
 */
export const busyModes = ['steer', 'queue', 'interrupt'] as const;
export type BusyMode = (typeof busyModes)[number];
