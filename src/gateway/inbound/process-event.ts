import { matchSlashCommand, unescapeSlash } from '../../domain/slash-commands.ts';
import type { PlatformEventRow } from '../../store/platform-ports.ts';
import type { ConversationRow } from '../../store/ports.ts';
import type { ConfiguredAccount } from '../accounts.ts';
import { readDecisionWords } from '../decision-words.ts';
import type { PlatformEvent } from '../platforms/platform.ts';
import type { SubmitMessage } from '../submit.ts';
import { admit } from './admit.ts';
import { eventOf, gather, membersFrom, type Member } from './burst.ts';
import type { InboundDeps, InboundTimes } from './deps.ts';
import type { LaneStep } from './event-lanes.ts';
import { commandOf, giveCommand, type TypedCommand } from './give-command.ts';
import { speakerMaker, type MakeSpeaker } from './make-speaker.ts';
import { inboundIdOf, replyKeyOf } from './names.ts';
import { pressButton } from './press-button.ts';
import type { Speaker } from './speaker.ts';
import { FileTaker } from './take-files.ts';
import { speakerName, turnText } from './turn-text.ts';

/** How long events of an account wait that is not enabled (any more). */
const notEnabledMs = 5_000;
/** How far a platform's clock may be from this machine's. */
const clocksApartMs = 60_000;

/**
 * Does what the first event of a lane asks for and settles it. Every effect is named by the event's key, so that doing it
 * again after a crash changes nothing. Rejects when it cannot be done; the event is then as it was.
 */
export class EventProcessor {
  private readonly deps: InboundDeps & { readonly times: InboundTimes };
  private readonly signal: AbortSignal;
  private readonly files: FileTaker;
  private readonly speakerOf: MakeSpeaker;

  constructor(deps: InboundDeps & { readonly times: InboundTimes }, signal: AbortSignal) {
    this.deps = deps;
    this.signal = signal;
    this.files = new FileTaker(deps);
    this.speakerOf = speakerMaker({ store: deps.store, scope: () => deps.scope() });
  }

  /** @param rows what the lane has to do, in order, at least one */
  async process(head: PlatformEventRow, rows: readonly PlatformEventRow[]): Promise<LaneStep> {
    const account = this.deps.account(head.account);
    if (account === undefined) return { waitMs: notEnabledMs, onWake: false };
    const event = eventOf(head);
    if (event.kind === 'gone') return this.lose(head, event, account);
    const admission = await admit(this.deps, account, event);
    if (admission.kind === 'ignored') return this.ignore(head, event, admission.why);
    if (admission.kind === 'unlisted') {
      await this.say(event, account, 'unlisted', howToList(account, event.chat.id));
      return this.settle(head, 'done');
    }
    if (admission.kind === 'stranger') return this.answerStranger(head, event, account);
    const speaker = this.speakerOf(account.id, event.chat, admission);
    if (event.kind === 'button') {
      await this.say(event, account, 'reply', await pressButton(event, speaker, this.deps));
      return this.settle(head, 'done');
    }
    const command = head.state === 'taken' ? null : commandOf(event, account);
    if (command !== null) return this.obey(head, event, { account, speaker, command });
    if (event.kind !== 'message') return this.ignore(head, event, 'of no kind that is known');
    if (head.state === 'received') {
      if (event.edited === true) return this.ignore(head, event, 'edited after its turn had begun');
      if (!event.addressed && event.chat.kind === 'group') return this.ignore(head, event, 'not addressed');
    }
    return this.hand(head, rows, { account, speaker, event });
  }

  /** Tells the person that an event could not be processed. False where there is nobody who is let in. */
  async apologise(head: PlatformEventRow, reason: string): Promise<boolean> {
    const account = this.deps.account(head.account);
    if (account === undefined) return false;
    const event = eventOf(head);
    if (event.kind === 'gone' || (await admit(this.deps, account, event)).kind !== 'let-in') return false;
    const text = `I could not process your message: ${reason} It was not passed on.`;
    await this.say(event, account, 'failed', text);
    return true;
  }

  /** A stranger who blocks the bot, or puts it into a group and takes it out again, is no news to anybody. */
  private async lose(
    head: PlatformEventRow,
    event: Extract<PlatformEvent, { kind: 'gone' }>,
    account: ConfiguredAccount,
  ): Promise<LaneStep> {
    // The rest of the chat goes on; what waits for the thread is refused by the platform.
    if (event.chat.thread !== undefined) return this.ignore(head, event, 'only a thread is gone');
    const sender = { ...event.sender, isBot: false };
    const admission = await admit(this.deps, account, { ...event, sender });
    if (admission.kind !== 'let-in') return this.ignore(head, event, 'was not ours');
    await this.deps.onGone(account.id, event.chat, event.reason);
    return this.settle(head, 'done');
  }

  private async hand(
    head: PlatformEventRow,
    rows: readonly PlatformEventRow[],
    of: { account: ConfiguredAccount; speaker: Speaker; event: PlatformEvent },
  ): Promise<LaneStep> {
    const { account, speaker, event } = of;
    if (head.state === 'received') {
      const burst = gather(rows, {
        pauseMs: this.deps.burstPauseMs(),
        nowMs: Date.now(),
        isCommand: (next) => commandOf(next, account) !== null,
      });
      if (burst.kind === 'wait') return { waitMs: burst.ms, onWake: true };
      const { id } = await speaker.conversation();
      await this.deps.store.platformEvents.take(head.seq, { joined: burst.joined, conversationId: id });
    }
    const members = await this.deps.store.platformEvents.members(head.seq);
    const conversation = await this.conversationOf(members[0] ?? head, speaker);
    const text = await this.textOf(membersFrom(members), { ...of, conversation });
    if (text === '') return this.ignore(head, event, 'says nothing');
    const decides = { saidAt: saidAt(members[0] ?? head, event), isAdmin: speaker.isAdmin };
    await this.deps.submit({ ...this.message(event, speaker, conversation, text), decides });
    return this.settle(head, 'done');
  }

  /** The one that was fixed, unless it is gone or not theirs any more. */
  private async conversationOf(taken: PlatformEventRow, speaker: Speaker): Promise<ConversationRow> {
    const id = taken.conversationId;
    const row = id === null ? null : await this.deps.store.conversations.get(id);
    return row?.personId === speaker.personId ? row : speaker.conversation();
  }

  private async textOf(
    members: readonly Member[],
    of: { account: ConfiguredAccount; speaker: Speaker; conversation: ConversationRow },
  ): Promise<string> {
    const { account, speaker, conversation } = of;
    const said: { member: Member; files: string[] }[] = [];
    for (const member of members) {
      const files: string[] = [];
      for (const [index, file] of member.event.files.entries()) {
        const where = { account, chat: speaker.chat, conversationId: conversation.id };
        files.push(await this.files.take({ ...where, key: member.key, index, file }, this.signal));
      }
      said.push({ member, files });
    }
    const isGroup = speaker.chat.kind === 'group';
    const isBare = await this.isWord(members, speaker, conversation.id);
    const hasTypedCommands = account.descriptor.capabilities.commands === 'text';
    return turnText(said, {
      speaker: isGroup && !isBare ? speakerName(speaker.user.name, speaker.user.userId) : null,
      quotes: !isBare,
      textOf: hasTypedCommands ? unescaped : (text) => text,
    });
  }

  /**
   * Whether the turn is a plain word to what waits for one: it is then passed on without a quote or a name around it, or
   * nobody would recognise it. In groups only admins decide.
   */
  private async isWord(members: readonly Member[], speaker: Speaker, conversationId: string): Promise<boolean> {
    const [only, another] = members;
    if (only === undefined || another !== undefined || only.event.files.length > 0) return false;
    const { text } = only.event;
    if (speaker.chat.kind === 'group') {
      if (!speaker.isAdmin || (readDecisionWords(text) === null && !/^\s*\d{1,2}\s*$/.test(text))) return false;
    } else if (only.event.quoted === undefined) return false;
    const waiting = await this.deps.store.approvals.list({ state: 'waiting', conversationId, limit: 1 });
    return waiting.length > 0;
  }

  private async obey(
    head: PlatformEventRow,
    event: PlatformEvent,
    { account, speaker, command }: { account: ConfiguredAccount; speaker: Speaker; command: TypedCommand },
  ): Promise<LaneStep> {
    const { text, message } = await giveCommand(command, event, speaker, this.deps.runCommand);
    await this.say(event, account, 'reply', text);
    if (message !== undefined) {
      const conversation = await speaker.conversation();
      const isGroup = speaker.chat.kind === 'group';
      const name = isGroup ? `${speakerName(speaker.user.name, speaker.user.userId)}: ` : '';
      await this.deps.submit({
        ...this.message(event, speaker, conversation, `${name}${message.text}`),
        busyMode: message.busyMode,
        // Whoever says by a command what becomes of it means no answer.
        decides: 'nothing',
      });
    }
    return this.settle(head, 'done');
  }

  private async answerStranger(
    head: PlatformEventRow,
    event: PlatformEvent,
    account: ConfiguredAccount,
  ): Promise<LaneStep> {
    const { sender, chat, key } = event;
    const command = commandOf(event, account);
    const isLink = command?.kind === 'command' && command.command.name === 'link' && command.args !== '';
    if (isLink && this.deps.linkStranger !== undefined) {
      const code = { key: inboundIdOf(account.id, key), code: command.args };
      await this.say(event, account, 'reply', await this.deps.linkStranger(account.id, sender, chat, code));
    } else if (account.conduct.strangers === 'pair' && (event.kind === 'message' || event.kind === 'command')) {
      const code = await this.deps.pairing.request({ account: account.id, key, sender, chat });
      if (code !== null) await this.say(event, account, 'pairing', pairingText(code));
    }
    return this.settle(head, 'ignored');
  }

  private message(event: PlatformEvent, speaker: Speaker, conversation: ConversationRow, text: string): SubmitMessage {
    return {
      inboundId: inboundIdOf(speaker.account, event.key),
      text,
      platform: speaker.account,
      conversation: { id: conversation.id },
      personId: speaker.personId,
      replyTo: addressOf(speaker.account, event),
    };
  }

  private async say(event: PlatformEvent, account: ConfiguredAccount, what: string, text: string): Promise<void> {
    if (text === '') return;
    const key = replyKeyOf(account.id, event.key, what);
    await this.deps.outbox.enqueue({ key, to: addressOf(account.id, event), text, conversationId: null });
  }

  private ignore(head: PlatformEventRow, event: PlatformEvent, why: string): Promise<LaneStep> {
    const fields = { account: head.account, key: head.key, kind: event.kind, chat: event.chat.id, why };
    this.deps.log.debug(fields, 'event ignored');
    return this.settle(head, 'ignored');
  }

  private async settle(head: PlatformEventRow, state: 'done' | 'ignored'): Promise<LaneStep> {
    await this.deps.store.platformEvents.settle(head.seq, { state });
    return 'more';
  }
}

function addressOf(account: string, { chat }: PlatformEvent) {
  return { platform: account, chat: chat.id, ...(chat.thread === undefined ? {} : { thread: chat.thread }) };
}

/**
 * When a word was said, for what it can be the answer to: never later than it came, and not much later than the platform
 * says, whose clock may be another. What was written during an outage approves nothing that was asked meanwhile.
 */
function saidAt(row: PlatformEventRow, event: PlatformEvent): string {
  const latest = Date.parse(event.at) + clocksApartMs;
  return latest < Date.parse(row.receivedAt) ? new Date(latest).toISOString() : row.receivedAt;
}

/** `//x` says `/x`; what is no command and begins with a slash stays as it is. */
function unescaped(text: string): string {
  return matchSlashCommand(text, 'platform') === null ? unescapeSlash(text) : text;
}

function pairingText(code: string): string {
  return [
    'Hello. I do not know you yet, so all I can do is give you a code:',
    `\`${code}\``,
    `It is good for one hour. Whoever I work for lets you in with \`hermes gateway pairing approve ${code}\`.`,
  ].join('\n\n');
}

/** For an admin who speaks to the agent in a group where it does not answer. */
function howToList({ id, conduct }: ConfiguredAccount, chat: string): string {
  const [platform = '', name] = id.split('/');
  const key = `gateway.${platform}${name === undefined ? '' : `.accounts.${name}`}.groups`;
  const command = `hermes config set ${key} '${[...conduct.groups, chat].join(',')}'`;
  return `I do not answer in this group yet. To let me:\n\n\`${command}\``;
}
