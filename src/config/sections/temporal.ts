import { file, flag, maxTimerMs, secret, text, whole } from '../setting.ts';

export const temporal = {
  address: text({
    default: null,
    env: ['TEMPORAL_ADDRESS'],
    description: 'host:port of a Temporal server. Not set: a server of its own, kept in the home folder.',
  }),
  namespace: text({ default: 'default', env: ['TEMPORAL_NAMESPACE'], description: 'Namespace of the workflows.' }),
  apiKey: secret({ env: ['TEMPORAL_API_KEY'], description: 'API key of Temporal Cloud.' }),
  tls: flag({ default: false, env: ['TEMPORAL_TLS'], description: 'Encrypts the connection. An API key implies it.' }),
  tlsCertFile: file({
    default: null,
    env: ['TEMPORAL_TLS_CLIENT_CERT_PATH'],
    description: 'Client certificate (PEM) for mTLS; needs temporal.tlsKeyFile.',
  }),
  tlsKeyFile: file({
    default: null,
    env: ['TEMPORAL_TLS_CLIENT_KEY_PATH'],
    description: "Client certificate's key (PEM) for mTLS.",
  }),
  port: whole({ default: 7233, min: 1, max: 65_535, description: 'Port of the embedded server, on loopback.' }),
  uiPort: whole({ default: 8233, min: 1, max: 65_535, description: "Port of the embedded server's UI, on loopback." }),
  taskQueue: text({ default: 'hermes', description: 'Stem of the names of the task queues.' }),
  heartbeatTimeoutMs: whole({
    default: 2000,
    min: 500,
    max: maxTimerMs,
    description:
      'Silence after which work counts as lost and is picked up by another worker. 2000 suits the embedded server, 15000 a cloud.',
  }),
  retentionDays: whole({
    default: 120,
    min: 1,
    max: 36_500,
    description: 'How long the embedded server keeps histories of what is over.',
  }),
} as const;
