/**
 * Records the histories that replay.test.ts holds the workflow code to. Run by hand, once per released change of workflow
 * code: `npx tsx test/replay/record.ts 0.1.0`. Recorded files are never written again: they are what open conversations
 * of that version have behind them.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { conversationWorkflowId, environmentWorkflowId } from '../../src/contracts/workflow-ids.ts';
import { EnvironmentEnv } from '../support/environment-env.ts';
import { startTestTemporal, type TestTemporal } from '../support/temporal-server.ts';
import { WorkflowEnv } from '../support/workflow-env.ts';
import { environmentScenarios, type EnvironmentScenario } from './environment-scenarios.ts';
import { scenarios, Talk, type Scenario } from './scenarios.ts';

const histories = fileURLToPath(new URL('./histories', import.meta.url));

/** @returns the history of each run of the conversation, oldest first, as JSON. */
async function record(temporal: TestTemporal, scenario: Scenario): Promise<readonly string[]> {
  const env = await WorkflowEnv.create(temporal, scenario.settings);
  try {
    const talk = new Talk(env);
    await env.startWorker(scenario.activities(talk));
    await scenario.run(talk);
    // A server that has just stored an event may still have a task under way; a stopped worker adds no more.
    await env.stopWorker();
    return await fetchRuns(env.client, conversationWorkflowId(talk.id));
  } finally {
    await env.close();
  }
}

/** @returns the history of each run of the environment, oldest first, as JSON. */
async function recordEnvironment(temporal: TestTemporal, scenario: EnvironmentScenario): Promise<readonly string[]> {
  const env = await EnvironmentEnv.create(temporal);
  try {
    env.settings = { ...env.settings, ...scenario.settings };
    const ref = env.fresh();
    await env.startWorker();
    await scenario.run(env, ref);
    await env.stopWorkers();
    return await fetchRuns(env.client, environmentWorkflowId(ref.environmentId));
  } finally {
    await env.close();
  }
}

async function fetchRuns(client: Client, workflowId: string): Promise<readonly string[]> {
  const runs: string[] = [];
  let runId: string | undefined = (await client.workflow.getHandle(workflowId).describe()).runId;
  while (runId !== undefined && runId !== '') {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    runs.unshift(withoutMachine(historyToJSON(history)));
    runId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined;
  }
  return runs;
}

/** Replay needs neither who did a thing nor where in the code; both name the machine of the recording. */
function withoutMachine(json: string): string {
  const replacer = (key: string, value: unknown): unknown => {
    if (key === 'identity') return 'recorder';
    return key === 'stackTrace' ? '' : value;
  };
  return JSON.stringify(JSON.parse(json), replacer, 1);
}

const version = process.argv[2];
if (version === undefined || !/^\d+\.\d+\.\d+$/.test(version)) throw new Error('name the version, for instance 0.1.0');
const temporal = await startTestTemporal();
try {
  for (const [name, scenario] of Object.entries(scenarios)) {
    await keep('conversation', name, () => record(temporal, scenario));
  }
  for (const [name, scenario] of Object.entries(environmentScenarios)) {
    await keep('environment', name, () => recordEnvironment(temporal, scenario));
  }
} finally {
  await temporal.stop();
}

async function keep(type: string, name: string, recordRuns: () => Promise<readonly string[]>): Promise<void> {
  const folder = join(histories, type);
  await mkdir(folder, { recursive: true });
  const stem = `${version ?? ''}-${name}`;
  if ([`${stem}.json`, `${stem}-run-1.json`].some((file) => existsSync(join(folder, file)))) {
    console.log(`kept ${type}/${stem}`);
    return;
  }
  const runs = await recordRuns();
  for (const [index, json] of runs.entries()) {
    const file = join(folder, `${stem}${runs.length === 1 ? '' : `-run-${String(index + 1)}`}.json`);
    await writeFile(file, `${json}\n`);
    console.log(`wrote ${file}`);
  }
}
