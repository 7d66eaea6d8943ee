import type { ConversationView } from '../../contracts/api.ts';
import type { HermesClient } from '../client/client.ts';
import { connectWith } from '../client/connect.ts';
import { ApiRequestError } from '../errors.ts';
import { writeOut, type Io } from '../io.ts';
import { ChatUi } from './ui.ts';

export interface ChatOptions {
  readonly home: string;
  /** Name or id; made if new. Absent: the person's current conversation. */
  readonly conversation?: string;
  readonly model?: string;
}

/**
 * `hermes` at a terminal: talks until the person leaves. Leaving stops nothing.
 *
 * @returns the exit code. Rejects before the terminal is taken when there is no service to be had.
 */
export async function runChat(options: ChatOptions, io: Io): Promise<number> {
  const shown: { ui: ChatUi | null } = { ui: null };
  const client = connectWith({
    home: options.home,
    report: (line) => {
      if (shown.ui === null) io.stderr.write(`${line}\n`);
      else shown.ui.notice(line);
    },
    onOutage: (state) => shown.ui?.outage(state === 'away'),
  });
  try {
    const conversation = await choose(client, options);
    const ui = new ChatUi({ client, io, home: options.home });
    shown.ui = ui;
    const left = await ui.run(conversation);
    await writeOut(io.stdout, left);
    return 0;
  } finally {
    client.close();
  }
}

async function choose(client: HermesClient, options: ChatOptions): Promise<ConversationView> {
  const { conversation: name, model } = options;
  const chosen = name === undefined ? await currentOf(client) : await named(client, name);
  return model === undefined ? chosen : client.configure(chosen.id, { model });
}

async function named(client: HermesClient, name: string): Promise<ConversationView> {
  try {
    return await client.conversation(name);
  } catch (error) {
    if (!(error instanceof ApiRequestError) || error.status !== 404) throw error;
    return client.create({ name });
  }
}

async function currentOf(client: HermesClient): Promise<ConversationView> {
  // The first look may be what makes the current conversation, and then the list was read before.
  for (const limit of [50, 500]) {
    const current = (await client.conversations({ limit })).find((one) => one.current);
    if (current !== undefined) return current;
  }
  const made = await client.create({});
  return client.resume(made.id);
}
