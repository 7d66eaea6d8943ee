/** Measures what docs/performance.md promises: `npm run bench [-- case …]`. Prints a table and, last, one line of JSON. */
import { Client, Connection } from '@temporalio/client';
import { startBare } from './bare.ts';
import { BenchInstallation, machine } from './installation.ts';
import { startInstantModel } from './instant-model.ts';
import { percentile, proportionalMb, repeat, residentMb, table, type Row } from './measure.ts';

const turns = 40;
const long = Number(process.env['HERMES_BENCH_TURNS'] ?? '2000');
const rows: Row[] = [];
const say = (words: string): void => void process.stderr.write(`${words}\n`);

const model = await startInstantModel();
const one = new BenchInstallation(model);
try {
  await one.up();
  const bare = await startBare(one.temporalAddress());

  say('turns without tools, beside the bare workflow');
  await repeat(10, async (index) => {
    await bare.turn('bare-warm', 1);
    return (await one.turn('plain', `warm ${String(index)}`)).totalMs;
  });
  const plain: number[] = [];
  const bareOne: number[] = [];
  const firstByte: number[] = [];
  for (let index = 0; index < turns; index += 1) {
    bareOne.push(await bare.turn('bare-1', 1));
    const turn = await one.turn('plain', `hello ${String(index)}`);
    plain.push(turn.totalMs);
    firstByte.push(turn.firstByteAt - model.firstDeltaAt());
  }
  rows.push(
    { name: 'turn without tools, p50', value: percentile(plain, 0.5), unit: 'ms', target: 45 },
    { name: 'turn without tools, p95', value: percentile(plain, 0.95), unit: 'ms', target: 90 },
    { name: 'bare workflow, signal + 1 activity, p50', value: percentile(bareOne, 0.5), unit: 'ms' },
    {
      name: 'turn without tools over the bare workflow',
      value: percentile(plain, 0.5) / percentile(bareOne, 0.5),
      unit: 'times',
      target: 1.3,
    },
    {
      name: "provider's first delta to client's first byte, p50",
      value: percentile(firstByte, 0.5),
      unit: 'ms',
      target: 10,
    },
  );

  say('turns with one shell command');
  await one.turn('tools', 'run: warm');
  const withTool = await repeat(turns, async () => (await one.turn('tools', 'run: true')).totalMs);
  const bareThree = await repeat(turns, () => bare.turn('bare-3', 3));
  rows.push(
    { name: 'turn with one shell command, p50', value: percentile(withTool, 0.5), unit: 'ms', target: 120 },
    { name: 'bare workflow, signal + 3 activities, p50', value: percentile(bareThree, 0.5), unit: 'ms' },
  );

  say('one-shot command');
  const wall = await repeat(10, async () => (await one.hermes('-z', 'hello')).wallMs);
  rows.push({ name: 'hermes -z, wall, p50', value: percentile(wall, 0.5) / 1000, unit: 's', target: 0.25 });

  say('history and actions per turn');
  rows.push(...(await history(one.temporalAddress())));

  say('100 conversations at once');
  const together = 100;
  const each = 3;
  const throughput = async (turn: (index: number) => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await Promise.all(
      Array.from({ length: together }, (_, index) => repeat(each, async () => Number(await turn(index)))),
    );
    return (together * each * 1000) / (performance.now() - started);
  };
  const bareRate = await throughput((index) => bare.turn(`bare-many-${String(index)}`, 1));
  const ourRate = await throughput(async (index) => (await one.turn(`many-${String(index)}`, 'hello')).totalMs);
  rows.push(
    { name: 'throughput, 100 conversations', value: ourRate, unit: 'turns/s' },
    { name: 'bare throughput, 100 workflows', value: bareRate, unit: 'turns/s' },
    { name: 'throughput over the bare one', value: ourRate / bareRate, unit: 'times', target: 0.8, atLeast: true },
  );
  await bare.stop();

  say(`memory, ${String(long)} turns more`);
  await one.down();
  const readyMs = await one.restart();
  rows.push({ name: 'hermes up, ready', value: readyMs / 1000, unit: 's', target: 2 });
  await repeat(30, async () => (await one.turn('memory', 'hello')).totalMs);
  rows.push(...memory('after 30 turns', 450));
  const early = await repeat(30, async () => (await one.turn('memory', 'hello')).totalMs);
  await repeat(long, async () => (await one.turn('memory', 'hello')).totalMs);
  rows.push(...memory(`after ${String(long)} more`));
  const late = await repeat(30, async () => (await one.turn('memory', 'hello')).totalMs);
  rows.push({
    name: `turn in a conversation of ${String(2 * (long + 90))} messages over a new one, p50`,
    value: percentile(late, 0.5) / percentile(early, 0.5),
    unit: 'times',
  });
} finally {
  await one.dispose();
  await model.stop();
}

process.stdout.write(`${machine()}\n\n${table(rows)}\n\n${JSON.stringify(rows)}\n`);

function memory(when: string, target?: number): Row[] {
  const pids = Object.entries(one.pids());
  const unique = [...new Map(pids.map(([name, pid]) => [pid, name])).entries()];
  const total = (of: (pid: number) => number): number => unique.reduce((sum, [pid]) => sum + of(pid), 0);
  return [
    {
      name: `memory of all processes ${when}`,
      value: total(residentMb),
      unit: 'MB',
      ...(target === undefined ? {} : { target }),
    },
    { name: `  shared pages counted once`, value: total(proportionalMb), unit: 'MB' },
    ...unique.map(([pid, name]) => ({
      name: `  ${name === 'gateway' ? 'service' : name}`,
      value: residentMb(pid),
      unit: 'MB',
    })),
  ];
}

/** Reads the histories of the conversations above: bytes, events and billable actions per turn. */
async function history(address: string): Promise<Row[]> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const found: Row[] = [];
  for await (const execution of client.workflow.list({ query: "WorkflowType = 'conversation'" })) {
    const described = await client.workflow.getHandle(execution.workflowId, execution.runId).describe();
    const events = (await client.workflow.getHandle(execution.workflowId, execution.runId).fetchHistory()).events ?? [];
    const of = (name: string): number =>
      events.filter((event) => name in event && event[name as keyof typeof event] != null).length;
    const signals = of('workflowExecutionSignaledEventAttributes');
    if (signals < 20) continue;
    const actions =
      signals +
      of('activityTaskScheduledEventAttributes') +
      of('timerStartedEventAttributes') +
      of('upsertWorkflowSearchAttributesEventAttributes');
    const kind = of('activityTaskScheduledEventAttributes') / signals > 1.5 ? 'with one command' : 'without tools';
    found.push(
      { name: `history per turn ${kind}`, value: (described.historySize ?? 0) / signals / 1024, unit: 'KB', target: 8 },
      {
        name: `actions per turn ${kind}`,
        value: actions / signals,
        unit: '',
        target: kind === 'without tools' ? 3 : 5,
      },
    );
  }
  await connection.close();
  return found;
}
