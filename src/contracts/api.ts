import { z } from 'zod';
import { busyModes } from '../domain/busy-mode.ts';

/**
 * The command's interface over loopback HTTP: every body and answer, as zod, from which OpenAPI is made. All paths are
 * below `/api` and want `Authorization: Bearer <token of the home folder>`. Errors have the shape of `errorSchema`.
 */

export const errorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
  }),
});

export const usageSchema = z.object({
  inputTokens: z.number(),
  outputTokens: z.number(),
  costUsd: z.number(),
});

const busyModeSchema = z.enum(busyModes);

/** POST /api/messages. Repeating it with the same `inboundId` changes nothing and answers the same. */
export const submitRequestSchema = z.object({
  inboundId: z.string().min(8).max(200).describe('Chosen by the client, unique for ever; makes a repeat harmless.'),
  text: z.string().min(1).max(1_000_000),
  conversation: z
    .union([
      z.object({ id: z.string() }),
      z.object({ name: z.string().min(1).max(100).describe('Found by name, else made.') }),
      z.object({ new: z.literal(true), title: z.string().max(200).optional() }),
    ])
    .optional()
    .describe("Absent: the person's current conversation."),
  busyMode: busyModeSchema.optional(),
  model: z
    .string()
    .min(3)
    .max(200)
    .optional()
    .describe('`provider:name`; sets the model of the conversation, before the message is taken.'),
  platform: z.string().default('cli'),
});
export const submitResponseSchema = z.object({
  inboundId: z.string(),
  conversationId: z.string(),
  created: z.boolean().describe('False for a repeat.'),
  /** Set when the text was taken as the answer to a waiting question or approval and starts no turn. */
  decided: z.string().nullable(),
});

export const toolCallSchema = z.object({
  callKey: z.string(),
  name: z.string(),
  summary: z.string(),
  status: z.string(),
  durationMs: z.number().nullable(),
});

/** GET /api/messages/:inboundId/answer?waitMs=30000 waits that long at most and says `pending` then. */
export const answerSchema = z.object({
  state: z.enum(['pending', 'waiting', 'done', 'failed', 'interrupted']),
  conversationId: z.string(),
  turn: z.number().nullable(),
  text: z.string().describe('The final answer, or what went wrong.'),
  model: z.string().nullable(),
  usage: usageSchema,
  toolCalls: z.array(toolCallSchema),
  durationMs: z.number().nullable(),
  errorCode: z.string().nullable(),
  waitingFor: z.array(z.object({ approvalId: z.string(), kind: z.string(), title: z.string() })),
});

export const conversationSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  title: z.string(),
  platform: z.string(),
  model: z.string().nullable(),
  busyMode: busyModeSchema.nullable(),
  lastTurn: z.number(),
  messageCount: z.number(),
  createdAt: z.string(),
  updatedAt: z.string(),
  usage: usageSchema,
  current: z.boolean(),
  running: z.boolean(),
});

export const messageSchema = z.object({
  id: z.number(),
  turn: z.number(),
  step: z.number(),
  role: z.enum(['user', 'assistant', 'tool', 'notice']),
  text: z.string(),
  toolCalls: z.array(z.object({ id: z.string(), name: z.string(), argumentsText: z.string() })),
  toolName: z.string().nullable(),
  toolStatus: z.string().nullable(),
  speaker: z.string(),
  createdAt: z.string(),
});

export const approvalSchema = z.object({
  id: z.string(),
  kind: z.enum(['approval', 'question', 'budget']),
  conversationId: z.string(),
  turn: z.number(),
  title: z.string(),
  detail: z.string(),
  choices: z.array(z.string()),
  state: z.string(),
  askedAt: z.string(),
  decidedAt: z.string().nullable(),
});

export const decideRequestSchema = z.object({
  decision: z.enum(['approve', 'deny', 'answer']),
  scope: z.enum(['once', 'conversation', 'always']).default('once'),
  answer: z.string().max(100_000).nullable().default(null),
});

export const configureRequestSchema = z.object({
  title: z.string().min(1).max(200).optional(),
  name: z.string().min(1).max(100).nullable().optional(),
  busyMode: busyModeSchema.nullable().optional(),
  model: z.string().nullable().optional().describe('`provider:name`; null: back to the configured one.'),
});

export const statusSchema = z.object({
  ready: z.boolean(),
  version: z.string(),
  home: z.string(),
  api: z.object({ url: z.string(), tokenFile: z.string() }),
  temporal: z.object({ address: z.string(), uiUrl: z.string().nullable(), pid: z.number().nullable() }),
  worker: z.object({ pid: z.number().nullable() }),
  gateway: z.object({ pid: z.number().nullable() }),
  model: z.string(),
  backend: z.string(),
  openTurns: z.number(),
  waitingApprovals: z.number(),
});

export const searchHitSchema = z.object({
  conversationId: z.string(),
  title: z.string(),
  at: z.string(),
  speaker: z.string(),
  excerpt: z.string(),
  score: z.number(),
});

export const usageDaySchema = usageSchema.extend({ day: z.string(), model: z.string(), calls: z.number() });

export const promptSizeSchema = z.object({
  systemChars: z.number(),
  toolSchemaChars: z.number(),
  totalChars: z.number(),
  text: z.string(),
});

/**
 * GET /api/conversations/:id/events is a server-sent event stream: first `event: snapshot` (snapshotSchema), then
 * `event: backlog` (the folded StreamEvents of the turn in progress, an array), then `event: live` for each StreamEvent;
 * a comment line every 10 s. Reconnect and start over: the snapshot makes it safe.
 */
export const snapshotSchema = z.object({
  conversation: conversationSchema,
  messages: z.array(messageSchema).describe('The newest 50.'),
  approvals: z.array(approvalSchema),
  pending: z.array(z.object({ inboundId: z.string(), text: z.string(), receivedAt: z.string() })),
});

/** GET /api/conversations?limit&before (newest first; `before` is the id of the last row one has). */
export const conversationListSchema = z.object({ conversations: z.array(conversationSchema) });
/** POST /api/conversations. Answers with conversationSchema. */
export const createConversationRequestSchema = z.object({
  title: z.string().min(1).max(200).optional(),
  name: z.string().min(1).max(100).optional(),
});
/** GET /api/conversations/:idOrName/messages?limit&beforeId (in order; page back with the first row's id). */
export const messageListSchema = z.object({ messages: z.array(messageSchema) });
/** POST /api/conversations/:idOrName/interrupt {turn?} */
export const interruptRequestSchema = z.object({ turn: z.number().int().positive().optional() });
export const interruptResponseSchema = z.object({ interrupted: z.boolean(), turn: z.number().nullable() });
/** POST /api/conversations/:idOrName/undo: the turn that is hidden now, and what its user messages said. */
export const undoResponseSchema = z.object({ turn: z.number(), text: z.string() });
/** POST /api/conversations/:idOrName/handoff: it goes on in the person's direct chat on that account. */
export const handoffRequestSchema = z.object({
  key: z.string().min(8).max(150).describe('Chosen by the client, unique for ever; makes a repeat harmless.'),
  to: z.string().min(1).max(100).describe('`telegram`, `telegram/work`.'),
});
export const handoffResponseSchema = z.object({ account: z.string().describe('Where it goes on.') });
/** GET /api/search?q&limit */
export const searchResponseSchema = z.object({ hits: z.array(searchHitSchema) });
/** GET /api/approvals?state&conversationId; `state` defaults to `waiting`, `all` gives every one. */
export const approvalListSchema = z.object({ approvals: z.array(approvalSchema) });
/** GET /api/usage?days */
export const usageResponseSchema = z.object({ days: z.array(usageDaySchema) });
/** GET /api/models: what the configured provider offers; `current` and the ids are `provider:name`. */
export const modelListSchema = z.object({
  current: z.string(),
  models: z.array(z.object({ id: z.string(), contextTokens: z.number().nullable() })),
});
/** GET /api/uncertain: calls whose effect nobody can vouch for, newest first. */
export const uncertainListSchema = z.object({
  calls: z.array(
    z.object({
      callKey: z.string(),
      conversationId: z.string(),
      turn: z.number(),
      name: z.string(),
      summary: z.string(),
      startedAt: z.string().nullable(),
    }),
  ),
});
/** GET /health, without a token. */
export const healthSchema = z.object({ status: z.literal('ok'), version: z.string() });

export type ApiError = z.infer<typeof errorSchema>;
export type SubmitRequest = z.input<typeof submitRequestSchema>;
export type SubmitResponse = z.infer<typeof submitResponseSchema>;
export type Answer = z.infer<typeof answerSchema>;
export type ConversationView = z.infer<typeof conversationSchema>;
export type MessageView = z.infer<typeof messageSchema>;
export type ApprovalView = z.infer<typeof approvalSchema>;
export type DecideBody = z.input<typeof decideRequestSchema>;
export type ConfigureBody = z.infer<typeof configureRequestSchema>;
export type Status = z.infer<typeof statusSchema>;
export type Snapshot = z.infer<typeof snapshotSchema>;
export type UsageDay = z.infer<typeof usageDaySchema>;
export type PromptSize = z.infer<typeof promptSizeSchema>;
export type ModelList = z.infer<typeof modelListSchema>;
export type ConversationList = z.infer<typeof conversationListSchema>;
export type CreateConversationBody = z.infer<typeof createConversationRequestSchema>;
export type MessageList = z.infer<typeof messageListSchema>;
export type InterruptResponse = z.infer<typeof interruptResponseSchema>;
export type UndoResponse = z.infer<typeof undoResponseSchema>;
export type HandoffRequest = z.infer<typeof handoffRequestSchema>;
export type HandoffResponse = z.infer<typeof handoffResponseSchema>;
export type SearchResponse = z.infer<typeof searchResponseSchema>;
export type ApprovalList = z.infer<typeof approvalListSchema>;
export type UsageResponse = z.infer<typeof usageResponseSchema>;
