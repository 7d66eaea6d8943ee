import { busyModes } from '../../domain/busy-mode.ts';
import { amount, choice, whole } from '../setting.ts';

export const conversation = {
  busyMode: choice(busyModes, {
    default: 'steer',
    description:
      'What a message does that arrives while a turn runs: steer is seen by the next step, queue waits for its own turn, interrupt stops the turn.',
  }),
  idleCompleteMinutes: amount({
    default: 60,
    min: 0.01,
    max: 1_000_000,
    description: 'After this long without anything to do the workflow completes; the next message starts it again.',
  }),
  scope: choice(['person', 'platform'], {
    default: 'person',
    description:
      "person: one main conversation for a person's direct messages on all platforms; platform: one for each platform.",
  }),
  continueAsNewAfterEvents: whole({
    default: 1200,
    min: 50,
    max: 10_000,
    description: 'Events of one workflow run after which it continues as new.',
  }),
} as const;
