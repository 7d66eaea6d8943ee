import { amount, choice, list, maxTimerMs, text, whole } from '../setting.ts';
import { daytona, docker, local, modal, singularity, ssh } from './terminal-backends.ts';
import * as z from 'zod';

/** Every kind of machine commands can run on; a test holds it to the backends there are. */
export const backendIds = ['local', 'docker', 'ssh', 'singularity', 'modal', 'daytona'] as const;

export const terminal = {
  backend: choice(backendIds, { default: 'local', description: 'Where commands run.' }),
  scope: choice(['person', 'conversation'], {
    default: 'person',
    description: 'Whether all conversations of a person share one environment, or each has its own.',
  }),
  idleMinutes: amount({
    default: 15,
    min: 0.05,
    max: 40_000,
    description:
      'Minutes without use after which an environment is put to sleep. Backends that cost nothing stay awake.',
  }),
  cwd: text({
    default: null,
    description: 'Folder where commands start, on the machine they run on. Not set: the home folder there.',
  }),
  commandTimeoutMs: whole({
    default: 180_000,
    min: 1000,
    max: maxTimerMs,
    description: 'Limit of a foreground command when the model names none.',
  }),
  maxCommandTimeoutMs: whole({
    default: 3_600_000,
    min: 1000,
    max: maxTimerMs,
    description: 'Longest limit the model may ask for.',
  }),
  envPassthrough: list({
    default: [],
    item: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
    accepts: 'a list of names of variables',
    description: 'Variables of the service that commands may see beside the harmless ones. Secrets only if named here.',
  }),
  local,
  docker,
  ssh,
  singularity,
  modal,
  daytona,
} as const;
