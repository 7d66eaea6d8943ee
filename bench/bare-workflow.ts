import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';

export const workSignal = defineSignal<[{ readonly id: string; readonly activities: number }]>('work');

interface BareActivities {
  step(input: { readonly id: string; readonly last: boolean }): Promise<string>;
}

/** The least a durable turn can be: one signal, then so many activities one after another. */
export async function bare(): Promise<void> {
  const { step } = proxyActivities<BareActivities>({ startToCloseTimeout: '1m', heartbeatTimeout: '2s' });
  const queue: { id: string; activities: number }[] = [];
  setHandler(workSignal, (work) => {
    queue.push(work);
  });
  for (;;) {
    await condition(() => queue.length > 0);
    const work = queue.shift();
    if (work === undefined) continue;
    for (let index = 1; index <= work.activities; index += 1) {
      await step({ id: work.id, last: index === work.activities });
    }
  }
}
