import type { CommandCall } from '../inbound/speaker.ts';
import { Refusal } from '../refusal.ts';
import type { CommandDeps, CommandHandler } from './deps.ts';
import { createHandOff } from './hand-off.ts';
import { setHome } from './homes.ts';
import { createLinks } from './links.ts';
import { needed, oneOf } from './words.ts';

/** Commands about a person's accounts and where things are said. */
export const peopleCommands = {
  link: (deps, call) => {
    const { speaker, args, key } = directOnly(call);
    const links = createLinks(deps);
    return args === '' ? links.issue(speaker) : links.redeem(speaker, args, key);
  },
  unlink: (deps, call) => {
    const { speaker, key } = directOnly(call);
    return createLinks(deps).unlink(speaker, key);
  },
  sethome: async ({ store }, { speaker: { account, chat } }) => {
    await setHome(store, account, { chat: chat.id, ...(chat.thread === undefined ? {} : { thread: chat.thread }) });
    return `Reminders and notices for ${account} come here from now on.`;
  },
  handoff: async (deps, call) => {
    const { speaker, args, key } = directOnly(call);
    const to = needed(args, '/handoff PLATFORM');
    const conversation = await speaker.conversation();
    const { account } = await createHandOff(deps)({ key, conversation, to, from: speaker.account });
    return `This talk goes on at ${account}.`;
  },
  voice: async (deps, { args, speaker }) => {
    const { id } = await speaker.conversation();
    if (args === '') return `Spoken answers are ${(await deps.store.spokenConversations.has(id)) ? 'on' : 'off'}.`;
    const wanted = oneOf(['on', 'off'], args) === 'on';
    if (wanted) refuseWhereMute(deps, speaker.account);
    await deps.store.spokenConversations.set(id, wanted);
    return `Spoken answers in this conversation: ${wanted ? 'on' : 'off'}.`;
  },
} satisfies Record<string, CommandHandler>;

/** In a group everybody would see the code, or the talk would leave it. */
function directOnly(call: CommandCall): CommandCall {
  if (call.speaker.chat.kind === 'direct') return call;
  throw new Refusal('Api.NotSupported', `/${call.name} works in a direct chat with the agent only.`);
}

function refuseWhereMute(deps: CommandDeps, account: string): void {
  if (!deps.canSpeak()) {
    throw new Refusal('Api.NotSupported', 'Spoken answers are not set up here (`voice.speech.enabled`).');
  }
  const capabilities = deps.accounts().get(account)?.descriptor.capabilities;
  if (capabilities?.voiceNotes === false) {
    throw new Refusal('Api.NotSupported', `${account} has no voice notes.`);
  }
}
