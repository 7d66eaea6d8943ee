import { createHash, randomInt } from 'node:crypto';
import { ago } from '../../lib/short-forms.ts';
import type { LinkCode } from '../../store/people-ports.ts';
import type { PlatformUser } from '../../store/platform-ports.ts';
import type { Store } from '../../store/ports.ts';
import type { OutboxWriter } from '../accounts.ts';
import { personIdOf, replyKeyOf } from '../inbound/names.ts';
import type { Speaker } from '../inbound/speaker.ts';
import { speakerName } from '../inbound/turn-text.ts';
import type { PlatformChat, PlatformSender } from '../platforms/platform.ts';
import { Refusal } from '../refusal.ts';
import { titleOf } from './words.ts';

/** Accounts of one person: a code given on one of them joins another. Texts are Markdown for the chat. */
export interface Links {
  /** A new code; the ones before stay good until they expire. */
  issue(speaker: Speaker): Promise<string>;
  /** Joins the speaker's account. Idempotent by key. Rejects with a Refusal for a wrong code. */
  redeem(speaker: Speaker, code: string, key: string): Promise<string>;
  /** The same for somebody who is not let in: the code lets them in. Says so where it is wrong; empty outside of direct chats. */
  redeemAsStranger(
    account: string,
    sender: PlatformSender,
    chat: PlatformChat,
    code: { readonly key: string; readonly code: string },
  ): Promise<string>;
  /** Takes the account out of its person again. Idempotent by key. Rejects with a Refusal where nothing joined it. */
  unlink(speaker: Speaker, key: string): Promise<string>;
}

export interface LinkDeps {
  readonly store: Store;
  readonly outbox: OutboxWriter;
  readonly now: () => number;
}

const minuteMs = 60_000;
const validMs = 10 * minuteMs;
const tries = 5;
const lockMs = 60 * minuteMs;
/** 32 letters that nobody mistakes for each other. */
const alphabet = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const codeLength = 8;

export function createLinks(deps: LinkDeps): Links {
  const { store, now } = deps;
  const atNow = (): string => new Date(now()).toISOString();
  return {
    issue: async ({ account, user, personId, isAdmin }) => {
      const code = Array.from({ length: codeLength }, () => alphabet[randomInt(alphabet.length)]).join('');
      await store.links.issue({
        codeHash: hashOf(code),
        account,
        userId: user.userId,
        personId,
        role: isAdmin ? 'admin' : 'user',
        expiresAt: new Date(now() + validMs).toISOString(),
      });
      const shown = `${code.slice(0, 4)}-${code.slice(4)}`;
      return (
        `On your other account, write this to the agent:\n\n\`/link ${shown}\`\n\n` +
        'The code works once, for 10 minutes. Whoever has it shares your conversations and memory: give it to nobody.'
      );
    },
    redeem: async ({ user }, code, key) => {
      if (user.via === 'owner') {
        throw new Refusal('Api.Conflict', "This account is the owner's by the configuration.", {
          hint: 'Give a code here (/link) and type it on the other account.',
        });
      }
      return redeem(deps, { user, code, key, at: atNow(), isStranger: false });
    },
    redeemAsStranger: async (account, sender, chat, { key, code }) => {
      if (chat.kind !== 'direct') return '';
      const user: PlatformUser = {
        account,
        userId: sender.id,
        personId: personIdOf(account, sender.id),
        role: 'user',
        via: 'pairing',
        name: speakerName(sender.name, sender.id),
        directChat: chat.id,
        since: atNow(),
      };
      // Let in by an earlier run of this very command. Whom a list of the configuration let in before is nobody now.
      const known = await store.platformUsers.get(account, sender.id);
      return redeem(deps, {
        user: known?.via === 'pairing' ? known : user,
        code,
        key,
        at: atNow(),
        isStranger: true,
      }).catch((error: unknown) => {
        if (error instanceof Refusal) return [error.message, error.hint ?? ''].join(' ').trim();
        throw error;
      });
    },
    unlink: (speaker, key) => unlink(store, speaker, { key, at: atNow() }),
  };
}

async function redeem(
  { store, outbox, now }: LinkDeps,
  {
    user,
    code,
    key,
    at,
    isStranger,
  }: { user: PlatformUser; code: string; key: string; at: string; isStranger: boolean },
): Promise<string> {
  const result = await store.links.redeem({ codeHash: hashOf(code), key, user, at, tries, lockMs });
  switch (result.state) {
    case 'wrong':
      throw new Refusal('Api.Invalid', `That code is wrong or has expired (${String(result.triesLeft)} tries left).`, {
        hint: 'Ask for a new one with /link on the other account.',
      });
    case 'locked': {
      // To a stranger it is said once, and not as often as they write.
      if (isStranger && Date.parse(result.until) < Date.parse(at) + lockMs) return '';
      const minutes = Math.max(1, Math.ceil((Date.parse(result.until) - now()) / minuteMs));
      throw new Refusal('Api.Conflict', `Too many wrong codes. Try again in ${String(minutes)} min.`);
    }
    case 'same':
      return 'This account shares those conversations already.';
    case 'linked':
      await tellGiver({ store, outbox }, result.from, { user: result.user, key });
      return linkedText(store, { ...result, now: now() });
  }
}

/** Whoever gave the code sees what it was used for. */
async function tellGiver(
  { store, outbox }: Pick<LinkDeps, 'store' | 'outbox'>,
  from: LinkCode,
  { user, key }: { user: PlatformUser; key: string },
): Promise<void> {
  const giver = await store.platformUsers.get(from.account, from.userId);
  if (giver?.directChat == null) return;
  const name = user.name === '' ? user.userId : user.name;
  await outbox.enqueue({
    key: replyKeyOf(user.account, key, 'linked'),
    to: { platform: giver.account, chat: giver.directChat },
    text: `${user.account} (${name}) now shares your conversations and memory.`,
    conversationId: null,
  });
}

async function linkedText(
  store: Store,
  { user, before, from, now }: { user: PlatformUser; before: string; from: LinkCode; now: number },
): Promise<string> {
  const [shared, left] = await Promise.all([
    store.conversations.list(user.personId, { limit: 3 }),
    store.conversations.list(before, { limit: 1 }),
  ]);
  const said = shared.filter(({ messageCount }) => messageCount > 0);
  const lines = said.map((row) => `- **${titleOf(row)}** ${ago(row.updatedAt, now)}`);
  const stays = left.some(({ messageCount }) => messageCount > 0);
  return [
    `This account is joined to ${from.account}: both share memory and conversations from now on.`,
    ...(lines.length === 0 ? [] : ['', 'The newest of them:', ...lines]),
    ...(stays
      ? ['', 'What was said here before is not among them; it stays where it is, and /unlink leads back to it.']
      : []),
  ].join('\n');
}

async function unlink(
  store: Store,
  { account, user, personId }: Speaker,
  { key, at }: { key: string; at: string },
): Promise<string> {
  const own = personIdOf(account, user.userId);
  if (user.via === 'owner') {
    throw new Refusal('Api.Conflict', "This account is the owner's by the configuration (`gateway.*.owner`).");
  }
  const link = await store.links.of(account, user.userId);
  const isJoined = link?.personId === personId || personId !== own;
  const repeated = await store.links.endedBy(account, user.userId, key);
  if (!isJoined && !repeated) {
    const others = (await store.platformUsers.ofPerson(personId)).filter((one) => !isOneAccount(one, user));
    const names = others.map((one) => one.account).join(', ');
    throw new Refusal(
      'Api.Conflict',
      others.length === 0
        ? 'This account is joined to no other.'
        : `The shared conversations began here. Write /unlink on the other account (${names}).`,
    );
  }
  await store.links.unlink({ key, user, otherwise: { personId: own, role: 'user' }, at });
  return 'This account is on its own again: its conversations and memory are its own.';
}

function isOneAccount(one: PlatformUser, other: PlatformUser): boolean {
  return one.account === other.account && one.userId === other.userId;
}

/** Case and separators do not matter. */
function hashOf(code: string): string {
  return createHash('sha256')
    .update(code.toUpperCase().replace(/[^A-Z0-9]/g, ''))
    .digest('hex');
}
