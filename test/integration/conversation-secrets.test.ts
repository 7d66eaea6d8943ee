import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { calls, status, text } from '../support/model-server.ts';
import { Installation } from '../support/installation.ts';
import { finalAnswer, openConversation, runsOf, say, watch } from '../support/conversation.ts';

/** No secret reaches a place where somebody else, or the model, can read it. */

const modelKey = 'test-key-of-the-model-server';
/** Of a known shape, as a tool may print one. */
const printed = `ghp_${'Z9y8X7w6V5u4T3s2R1q0'.repeat(2)}`.slice(0, 40);
/** What a person writes without thinking. */
const own = `ghp_${'A1b2C3d4E5f6G7h8I9j0'.repeat(2)}`.slice(0, 40);
const assigned = 'hunter2-but-longer-9183';

let one: Installation;

beforeAll(async () => {
  one = await Installation.create({
    env: { HERMES_SERVICE_LOG_LEVEL: 'trace', OPENAI_API_KEY: 'sk-other-account-0123456789abcdef', HARMLESS: 'yes' },
  });
  await one.start('all');
});
beforeEach(() => one.model.reset());
afterAll(() => one.dispose());

/** Every file of the home folder that is written as a log. */
function logFiles(): string {
  const folder = join(one.home, 'logs');
  const names = statSync(folder, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(folder);
  return names.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}

/** Everything the API tells about a conversation. */
async function apiAnswers(conversationId: string): Promise<string> {
  const paths = [
    `/api/conversations/${conversationId}`,
    `/api/conversations/${conversationId}/messages`,
    `/api/approvals?state=all&conversationId=${conversationId}`,
    '/api/status',
    '/api/uncertain',
    `/api/search?q=${encodeURIComponent('token password')}`,
  ];
  const bodies = await Promise.all(paths.map(async (path) => (await one.request('GET', path)).body));
  return JSON.stringify(bodies);
}

type Places = Readonly<Record<string, string>>;

async function placesOf(conversationId: string, live: unknown): Promise<Places> {
  return {
    history: (await runsOf(one, conversationId)).map((run) => run.text).join('\n'),
    log: one.log,
    'log files': logFiles(),
    'prompts to the model': JSON.stringify(one.model.requests.map((request) => request.body)),
    'API answers': await apiAnswers(conversationId),
    'live events': JSON.stringify(live),
  };
}

function expectNowhere(places: Places, secrets: readonly string[]): void {
  // Looked into for real: a place that could not be read would hold no secret either.
  expect(places['history']?.includes('run_command: ')).toBe(true);
  expect(places['prompts to the model']?.includes('[redacted:')).toBe(true);
  for (const [place, content] of Object.entries(places)) {
    for (const secret of secrets) expect(content.includes(secret), `${secret} in ${place}`).toBe(false);
  }
}

it('a secret that a command prints is read by nobody', async () => {
  writeFileSync(join(one.workspace, 'settings.ini'), `token here: ${printed}\npassword = ${assigned}\nplain words\n`);
  one.model.next(
    calls({ name: 'run_command', args: { command: 'cat settings.ini; cat settings.ini >&2' } }),
    text('Seen.'),
  );
  const conversationId = await openConversation(one);
  const live = await watch(one, conversationId);
  await finalAnswer(one, await say(one, conversationId, 'show me the settings'));
  await finalAnswer(one, await say(one, conversationId, 'and once more'));
  await live.stop();
  expect(one.model.requests[1]?.last).toContain('plain words');
  expectNowhere(await placesOf(conversationId, live.events), [printed, assigned, modelKey]);
});

it('a secret in the person’s own words, in a file and in the model’s answer is not passed on', async () => {
  writeFileSync(join(one.workspace, 'notes.txt'), `one\nkey ${printed}\nthree\n`);
  one.model.next(
    calls({ name: 'read_file', args: { path: join(one.workspace, 'notes.txt') } }),
    calls({ name: 'run_command', args: { command: `echo ${printed} | wc -c` } }),
    text(`It is ${printed}, as I said.`),
  );
  const conversationId = await openConversation(one);
  const live = await watch(one, conversationId);
  const answer = await finalAnswer(one, await say(one, conversationId, `my token is ${own}, look in notes.txt`));
  await live.stop();
  expect(answer.state).toBe('done');
  expect(answer.text).not.toContain(printed);
  // The command ran as the model wrote it, although nothing of it is shown.
  expect(one.model.requests[2]?.last).toContain(String(printed.length + 1));
  const { 'API answers': shown, ...elsewhere } = await placesOf(conversationId, live.events.filter(notDelta));
  expectNowhere({ ...elsewhere, 'API answers': shown ?? '' }, [printed, modelKey]);
  // The person reads their own words as they wrote them; `undo` and `retry` give them back. Nobody else does.
  expectNowhere(elsewhere, [own]);
});

/** What the model itself says is streamed as it comes; the durable text is redacted. */
function notDelta(event: { readonly kind: string }): boolean {
  return event.kind !== 'delta';
}

it('a provider that repeats the key in its error does not make it known', async () => {
  one.model.next(
    calls({ name: 'run_command', args: { command: `cat settings.ini` } }),
    status(401, { message: `Incorrect API key provided: ${modelKey}. Find yours at example.com.` }),
  );
  const conversationId = await openConversation(one);
  const live = await watch(one, conversationId);
  const answer = await finalAnswer(one, await say(one, conversationId, 'hello'));
  await live.stop();
  expect(answer).toMatchObject({ state: 'failed', errorCode: 'Model.Authentication' });
  expect(JSON.stringify(answer)).not.toContain(modelKey);
  expectNowhere(await placesOf(conversationId, live.events), [modelKey]);
});

it('commands see no key of the service, nor what nobody passed on', async () => {
  const command =
    'env | sort; echo "key=[$HERMES_MODEL_API_KEY$OPENAI_API_KEY]"; cat /proc/$PPID/environ | tr "\\0" "\\n"';
  one.model.next(calls({ name: 'run_command', args: { command } }), text('Nothing.'));
  await finalAnswer(one, await say(one, await openConversation(one), 'look around'));
  const seen = one.model.requests[1]?.last ?? '';
  expect(seen).toContain('PATH=');
  expect(seen).toContain('key=[]');
  expect(seen).not.toMatch(/HERMES_MODEL|OPENAI_API_KEY=|HARMLESS=|sk-other/);
  expect(seen).not.toContain(modelKey);
});

it('background commands neither', async () => {
  const background = { name: 'run_command', args: { command: 'env > seen.txt', background: true } };
  one.model.next(calls(background), calls({ name: 'run_command', args: { command: 'cat seen.txt' } }), text('Ok.'));
  await finalAnswer(one, await say(one, await openConversation(one), 'look around'));
  expect(one.model.requests[2]?.last).toContain('PATH=');
  expect(readFileSync(join(one.workspace, 'seen.txt'), 'utf8')).not.toMatch(/HERMES_MODEL|OPENAI_API_KEY|HARMLESS/);
});
