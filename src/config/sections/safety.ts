import { choice, flag, maxTimerMs, whole } from '../setting.ts';

export const approvals = {
  mode: choice(['ask', 'deny', 'off'], {
    default: 'ask',
    description:
      'What happens with a dangerous command: ask waits for the person, deny refuses, off runs it. The block list always holds.',
  }),
} as const;

export const web = {
  allowPrivateAddresses: flag({
    default: false,
    description: 'Whether web_fetch may reach this machine and the networks around it.',
  }),
  maxBytes: whole({ default: 5_000_000, min: 1000, max: 1_000_000_000, description: 'Largest page web_fetch reads.' }),
  maxRedirects: whole({ default: 5, min: 0, max: 50, description: 'Redirects web_fetch follows.' }),
  timeoutMs: whole({ default: 30_000, min: 100, max: maxTimerMs, description: 'Longest web_fetch waits for a page.' }),
} as const;
