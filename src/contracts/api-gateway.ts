import { z } from 'zod';

/** The part of the HTTP API that concerns chat platforms. */

export const accountSchema = z.object({
  id: z.string().describe('`telegram`, `telegram/work`.'),
  platform: z.string(),
  state: z.enum(['connecting', 'connected', 'waiting', 'failed', 'stopped']),
  detail: z.string(),
  name: z.string().nullable().describe('What the platform calls the agent.'),
  lastEventAt: z.string().nullable(),
  lastError: z.string().nullable(),
  shown: z.string().nullable().describe('What the person who sets it up must see now, as a QR code.'),
  waiting: z.number().describe('Messages that wait to be sent.'),
  ambiguous: z.number().describe('Messages of which nobody knows whether they arrived.'),
});
export const accountListSchema = z.object({ running: z.boolean(), accounts: z.array(accountSchema) });

export const pairingSchema = z.object({
  account: z.string(),
  userId: z.string(),
  name: z.string(),
  state: z.enum(['pending', 'approved']),
  personId: z.string().nullable(),
  role: z.enum(['admin', 'user']).nullable(),
  since: z.string(),
});
export const pairingListSchema = z.object({ pairings: z.array(pairingSchema) });
export const approvePairingSchema = z.object({
  code: z.string().min(1).max(20),
  me: z.boolean().default(false).describe('The account is of the owner: it shares memory and conversation.'),
  admin: z.boolean().default(false),
});
export const revokePairingSchema = z.object({ account: z.string(), userId: z.string() });

export const outboxRowSchema = z.object({
  id: z.string(),
  account: z.string(),
  chat: z.string(),
  state: z.string(),
  text: z.string().describe('Its first words.'),
  error: z.string().nullable(),
  createdAt: z.string(),
});
export const outboxListSchema = z.object({ messages: z.array(outboxRowSchema) });
export const outboxChangeSchema = z.object({ id: z.string(), what: z.enum(['retry', 'drop']) });

export const sendRequestSchema = z.object({
  key: z.string().min(8).max(150).describe('Chosen by the client, unique for ever; makes a repeat harmless.'),
  to: z.string().describe('`telegram:home`, `telegram:CHAT`, `slack:CHAT:THREAD`.'),
  text: z.string().max(200_000).default(''),
  files: z
    .array(z.object({ name: z.string().min(1).max(200), mediaType: z.string(), base64: z.string() }))
    .max(10)
    .default([]),
  waitMs: z.number().int().min(0).max(60_000).default(15_000),
});
export const sendResponseSchema = z.object({
  state: z.enum(['sent', 'waiting', 'ambiguous', 'failed']),
  detail: z.string(),
});

export type AccountView = z.infer<typeof accountSchema>;
export type PairingView = z.infer<typeof pairingSchema>;
export type OutboxView = z.infer<typeof outboxRowSchema>;
export type SendRequest = z.infer<typeof sendRequestSchema>;
export type SendResponse = z.infer<typeof sendResponseSchema>;
