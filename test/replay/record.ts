/**
 * Records the histories that replay.test.ts holds the workflow code to. Run by hand, once per released change of workflow
 * code: `npx tsx test/replay/record.ts 0.1.0`. Recorded files are never written again: they are what open conversations
 * of that version have behind them.
 */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { conversationWorkflowId } from '../../src/contracts/workflow-ids.ts';
import { startTestTemporal, type TestTemporal } from '../support/temporal-server.ts';
import { WorkflowEnv } from '../support/workflow-env.ts';
import { scenarios, Talk, type Scenario } from './scenarios.ts';

const folder = fileURLToPath(new URL('./histories/conversation', import.meta.url));

/** @returns the history of each run of the conversation, oldest first, as JSON. */
async function record(temporal: TestTemporal, scenario: Scenario): Promise<readonly string[]> {
  const env = await WorkflowEnv.create(temporal, scenario.settings);
  try {
    const talk = new Talk(env);
    await env.startWorker(scenario.activities(talk));
    await scenario.run(talk);
    const workflowId = conversationWorkflowId(talk.id);
    const runIds: string[] = [];
    let runId: string | undefined = await env.client.workflow
      .getHandle(workflowId)
      .describe()
      .then((one) => one.runId);
    while (runId !== undefined && runId !== '') {
      runIds.unshift(runId);
      const first = await env.client.workflow.getHandle(workflowId, runId).fetchHistory();
      runId = first.events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId ?? undefined;
    }
    // A server that has just stored an event may still have a task under way; a stopped worker adds no more.
    await env.stopWorker();
    return await Promise.all(
      runIds.map(async (id) =>
        withoutMachine(historyToJSON(await env.client.workflow.getHandle(workflowId, id).fetchHistory())),
      ),
    );
  } finally {
    await env.close();
  }
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
await mkdir(folder, { recursive: true });
const temporal = await startTestTemporal();
try {
  for (const [name, scenario] of Object.entries(scenarios)) {
    const runs = await record(temporal, scenario);
    for (const [index, json] of runs.entries()) {
      const file = join(folder, `${version}-${name}${runs.length === 1 ? '' : `-run-${String(index + 1)}`}.json`);
      if (existsSync(file)) {
        console.log(`kept ${file}`);
        continue;
      }
      await writeFile(file, `${json}\n`);
      console.log(`wrote ${file}`);
    }
  }
} finally {
  await temporal.stop();
}
