import { choice, flag, list, text, whole } from '../setting.ts';

export const api = {
  host: text({ default: '127.0.0.1', description: 'Address the HTTP API listens on.' }),
  port: whole({
    default: 8642,
    min: 0,
    max: 65_535,
    description: 'Port the HTTP API listens on; 0 takes any free one.',
  }),
  allowedHosts: list({
    default: [],
    description: 'Names, beside loopback ones, under which the API may be called (the Host header).',
  }),
} as const;

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

export const service = {
  split: flag({ default: false, description: 'Runs worker and gateway as two processes instead of one.' }),
  logLevel: choice(logLevels, { default: 'info', description: 'How much is logged.' }),
  drainSeconds: whole({
    default: 15,
    min: 0,
    max: 3600,
    description: 'Time running work gets to finish or hand over when the service stops.',
  }),
} as const;
