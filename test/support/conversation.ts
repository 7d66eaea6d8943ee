import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import Database from 'better-sqlite3';
import type { Answer, ApprovalView, DecideBody, MessageView } from '../../src/contracts/api.ts';
import type { StreamEvent } from '../../src/contracts/stream.ts';
import { conversationWorkflowId } from '../../src/contracts/workflow-ids.ts';
import type { Installation } from './installation.ts';
import { newInboundId, until } from './installation.ts';

/** Everything tests of whole conversations look at: transcript, turns, approvals, live events, histories. */

/** Opens a conversation without saying anything in it. @returns its id. */
export async function openConversation(one: Installation): Promise<string> {
  const { status, body } = await one.request('POST', '/api/conversations', {});
  if (status >= 300) throw new Error(`no conversation: ${JSON.stringify(body)}`);
  return (body as { id: string }).id;
}

/** Sends a message and does not wait. @returns its inbound id. */
export async function say(
  one: Installation,
  conversationId: string,
  text: string,
  more: { readonly inboundId?: string; readonly busyMode?: 'steer' | 'queue' | 'interrupt' } = {},
): Promise<string> {
  const inboundId = more.inboundId ?? newInboundId();
  await one.submit({ ...more, inboundId, text, conversation: { id: conversationId } });
  return inboundId;
}

/** The answer to a message once its turn has ended, through anything that waits for the person. */
export async function finalAnswer(one: Installation, inboundId: string): Promise<Answer> {
  let answer: Answer | undefined;
  await until(`the turn of ${inboundId} has ended`, async () => {
    answer = await one.answer(inboundId);
    return answer.state !== 'waiting';
  });
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

export async function messagesOf(one: Installation, conversationId: string): Promise<readonly MessageView[]> {
  const path = `/api/conversations/${conversationId}/messages?limit=200`;
  return ((await one.request('GET', path)).body as { messages: MessageView[] }).messages;
}

export async function interrupt(one: Installation, conversationId: string): Promise<unknown> {
  return (await one.request('POST', `/api/conversations/${conversationId}/interrupt`, {})).body;
}

/** What waits in a conversation, oldest first; waits until something does. */
export async function waitingIn(one: Installation, conversationId: string): Promise<ApprovalView> {
  let found: ApprovalView | undefined;
  await until('something waits for the person', async () => {
    const { body } = await one.request('GET', `/api/approvals?conversationId=${conversationId}`);
    found = (body as { approvals: ApprovalView[] }).approvals.at(-1);
    return found !== undefined;
  });
  if (found === undefined) throw new Error('nothing waits');
  return found;
}

export async function decide(
  one: Installation,
  approvalId: string,
  body: DecideBody,
): Promise<{ status: number; body: unknown }> {
  return one.request('POST', `/api/approvals/${encodeURIComponent(approvalId)}`, body);
}

/** Waits until every message accepted so far has reached its workflow. */
export async function untilSignalled(one: Installation): Promise<void> {
  await until('every message is signalled', () => {
    return rowsOf(one, "SELECT id FROM inbound WHERE state = 'received'").length === 0;
  });
}

/** Rows of the installation's own database. */
export function rowsOf(one: Installation, sql: string, ...values: unknown[]): readonly Record<string, unknown>[] {
  const database = new Database(join(one.home, 'hermes.db'), { readonly: true });
  try {
    return database.prepare(sql).all(...values) as Record<string, unknown>[];
  } finally {
    database.close();
  }
}

export function turnsOf(one: Installation, conversationId: string): readonly Record<string, unknown>[] {
  return rowsOf(one, 'SELECT turn, state FROM turn WHERE conversationId = ? ORDER BY turn', conversationId);
}

export interface Watch {
  readonly events: readonly StreamEvent[];
  stop(): Promise<void>;
}

/** Follows a conversation's live events. Resolves once the stream stands. */
export async function watch(one: Installation, conversationId: string): Promise<Watch> {
  const token = readFileSync(join(one.home, 'api-token'), 'utf8').trim();
  const ending = new AbortController();
  const response = await fetch(`${one.apiUrl}/api/conversations/${conversationId}/events`, {
    headers: { authorization: `Bearer ${token}` },
    signal: ending.signal,
  });
  const events: StreamEvent[] = [];
  let standing = false;
  const reading = (async () => {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const bytes of response.body as ReadableStream<Uint8Array>) {
      const blocks = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        if (block.includes('event: snapshot')) standing = true;
        if (block.includes('event: live')) events.push(JSON.parse(dataOf(block)) as StreamEvent);
      }
    }
  })().catch((error: unknown) => {
    if (!ending.signal.aborted) throw error;
  });
  await until('the event stream stands', () => standing);
  return {
    events,
    stop: async () => {
      ending.abort();
      await reading;
    },
  };
}

function dataOf(block: string): string {
  return block
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => line.slice('data: '.length))
    .join('\n');
}

/** A workflow's run as the server holds it. */
export interface RunHistory {
  readonly runId: string;
  readonly status: string;
  readonly historyBytes: number;
  /** Event types in order, e.g. `ActivityTaskScheduled`. */
  readonly eventTypes: readonly string[];
  /** Everything a person with access to Temporal can read of it, payloads decoded. */
  readonly text: string;
}

export async function withTemporal<T>(one: Installation, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: one.temporal.address });
  try {
    return await work(new Client({ connection, namespace: one.temporal.namespace }));
  } finally {
    await connection.close();
  }
}

/** All runs of a conversation's workflow, oldest first. */
export async function runsOf(one: Installation, conversationId: string): Promise<readonly RunHistory[]> {
  return withTemporal(one, async (client) => {
    const workflowId = conversationWorkflowId(conversationId);
    const runs: RunHistory[] = [];
    let runId: string | undefined = await firstRunId(client, workflowId);
    while (runId !== undefined && runId !== '') {
      const handle: WorkflowHandle = client.workflow.getHandle(workflowId, runId);
      const description = await handle.describe();
      const events = (await handle.fetchHistory()).events ?? [];
      runs.push({
        runId,
        status: description.status.name,
        historyBytes: description.historySize ?? 0,
        eventTypes: events.map(kindOf),
        text: readable({ description: description.raw, events }),
      });
      runId = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
    }
    return runs;
  });
}

async function firstRunId(client: Client, workflowId: string): Promise<string> {
  const described = await client.workflow.getHandle(workflowId).describe();
  return described.raw.workflowExecutionInfo?.firstRunId ?? described.runId;
}

/** The one attribute group that is set names the event. */
function kindOf(event: object): string {
  const set = Object.entries(event).find(([name, value]) => name.endsWith('EventAttributes') && value !== null);
  const key = set?.[0] ?? '';
  return key.slice(0, -'EventAttributes'.length).replace(/^./, (letter) => letter.toUpperCase());
}

/** Any tree of protobufs as text, with payloads, which JSON carries as base64, as what they say. */
function readable(value: unknown): string {
  return JSON.stringify(value, (key, one: unknown) => {
    if (typeof one === 'bigint') return one.toString();
    return key === 'data' && typeof one === 'string' ? Buffer.from(one, 'base64').toString('utf8') : one;
  });
}
