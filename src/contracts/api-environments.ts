import { z } from 'zod';
import { environmentPhases } from './environment.ts';

/** The part of the HTTP API that concerns where commands run. */

export const backendReportSchema = z.object({
  id: z.string(),
  current: z.boolean().describe('The one in `terminal.backend`.'),
  usable: z.boolean(),
  detail: z.string(),
  fix: z.string().nullable(),
});
export const backendListSchema = z.object({ backends: z.array(backendReportSchema) });

export const environmentViewSchema = z.object({
  environmentId: z.string(),
  backend: z.string(),
  current: z.boolean().describe("The one the person's next command runs in."),
  phase: z.enum(environmentPhases),
  detail: z.string().describe('What the backend says of it.'),
  leases: z.array(z.object({ holder: z.string(), until: z.string() })),
  lastWakeMs: z.number().nullable(),
  sleptMs: z.number(),
  sleepingSince: z.string().nullable(),
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  log: z.array(z.string()).describe('Newest first.'),
});
export const environmentListSchema = z.object({ environments: z.array(environmentViewSchema) });

export const changeEnvironmentSchema = z.object({ what: z.enum(['wake', 'hibernate', 'reset']) });

export const leaseRequestSchema = z.object({
  holder: z.string().min(1).max(100).describe('Asking again prolongs.'),
  leaseMs: z.number().int().min(1_000).max(3_600_000),
});
export const leaseSchema = z.object({
  handle: z.object({
    environmentId: z.string(),
    backend: z.string(),
    state: z.record(z.string(), z.string()),
  }),
  leasedUntil: z.string().nullable(),
});

export const copyRequestSchema = z.object({
  from: z.string().describe('Id of a backend.'),
  to: z.string().describe('Id of a backend.'),
  path: z.string().optional().describe('Folder to copy, on both sides; absent: where commands start.'),
});
export const copyResponseSchema = z.object({
  path: z.object({ from: z.string(), to: z.string() }),
  sizeBytes: z.number().describe('Of the archive that went across.'),
  files: z.number(),
});

export type BackendReport = z.infer<typeof backendReportSchema>;
export type EnvironmentView = z.infer<typeof environmentViewSchema>;
export type LeaseRequest = z.infer<typeof leaseRequestSchema>;
export type Lease = z.infer<typeof leaseSchema>;
export type CopyRequest = z.infer<typeof copyRequestSchema>;
export type CopyResponse = z.infer<typeof copyResponseSchema>;
