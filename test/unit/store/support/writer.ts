import { openStore } from '../../../../src/store/open-store.ts';
import { commitOf } from './commit-of.ts';

/** One of several processes that do the same turns on the same file. Prints what it was told, as JSON. */
const [dir = '', name = '', turns = '0'] = process.argv.slice(2);
const store = await openStore({ file: `${dir}/hermes.db`, backupDir: `${dir}/backups` });
const talk = await store.conversations.create({ id: 'talk', personId: 'anna', platform: 'cli' });
const told = { created: 0, committed: 0, answers: [] as string[], current: '' };
for (let turn = 1; turn <= Number(turns); turn++) {
  const id = `in-${turn}`;
  const accepted = await store.inbox.accept({
    id,
    conversationId: talk.id,
    personId: 'anna',
    platform: 'cli',
    text: id,
  });
  if (accepted.created) told.created++;
  await store.steps.begin({ conversationId: talk.id, turn, step: 1, inboundIds: [id] });
  const usage = { inputTokens: 1, outputTokens: 1, costUsd: 1, model: name };
  const outcome = { kind: 'final', usage, preview: `${name} ${turn}`, title: '' } as const;
  const result = await store.steps.commit(commitOf(talk.id, turn, 1, { text: `${name} ${turn}`, usage, outcome }));
  if (result.committed) told.committed++;
  told.answers.push(result.outcome.kind === 'final' ? result.outcome.preview : result.outcome.kind);
}
told.current = (await store.conversations.current('anna')).id;
await store.close();
process.stdout.write(JSON.stringify(told));
