import type { PlatformUser } from '../../store/platform-ports.ts';
import type { Store } from '../../store/ports.ts';
import type { AccountConduct, ConfiguredAccount } from '../accounts.ts';
import type { PlatformEvent } from '../platforms/platform.ts';
import { groupPersonIdOf, personIdOf } from './names.ts';
import { speakerName } from './turn-text.ts';

export type Admission =
  | { readonly kind: 'let-in'; readonly user: PlatformUser; readonly personId: string; readonly isAdmin: boolean }
  | { readonly kind: 'stranger' }
  /** An admin speaks to the agent in a group that nobody has listed. */
  | { readonly kind: 'unlisted' }
  | { readonly kind: 'ignored'; readonly why: string };

/**
 * Who may speak where. Lists of the configuration count as long as they name somebody; who was paired or linked stays in
 * until that is taken back. Being listed is what lets the members of a group in. Remembers a direct chat and a name where
 * they changed.
 */
export async function admit(
  deps: { readonly store: Store; readonly ownerId: string },
  account: ConfiguredAccount,
  event: PlatformEvent,
): Promise<Admission> {
  if (event.sender.isBot === true) return { kind: 'ignored', why: 'sent by a bot' };
  const isGroup = event.chat.kind === 'group';
  const isUnlisted = isGroup && !isListed(account.conduct, event.chat.id);
  if (isUnlisted && !isAddressed(event)) return { kind: 'ignored', why: 'group is not listed' };
  const user = await userOf(deps, account, event);
  if (isUnlisted) {
    if (user !== null && isAdminOf(deps.ownerId, account.conduct, user)) return { kind: 'unlisted' };
    return { kind: 'ignored', why: 'group is not listed' };
  }
  if (user === null && !isGroup) return { kind: 'stranger' };
  if (user === null) return { kind: 'let-in', user: member(account, event), ...asGroup(account, event, false) };
  const isAdmin = isAdminOf(deps.ownerId, account.conduct, user);
  if (isGroup) return { kind: 'let-in', user, ...asGroup(account, event, isAdmin) };
  return { kind: 'let-in', user, personId: user.personId, isAdmin };
}

function isAddressed(event: PlatformEvent): boolean {
  return event.kind === 'command' || (event.kind === 'message' && event.addressed && event.edited !== true);
}

function asGroup(account: ConfiguredAccount, event: PlatformEvent, isAdmin: boolean) {
  return { personId: groupPersonIdOf(account.id, event.chat.id), isAdmin };
}

function isListed(conduct: AccountConduct, chat: string): boolean {
  return conduct.groups.includes('*') || conduct.groups.includes(chat);
}

function isAdminOf(ownerId: string, conduct: AccountConduct, user: PlatformUser): boolean {
  return user.personId === ownerId || user.role === 'admin' || conduct.admins.includes(user.userId);
}

/** As they are in the store, made or brought up to date where the configuration or what they are called says so. */
async function userOf(
  deps: { readonly store: Store; readonly ownerId: string },
  account: ConfiguredAccount,
  event: PlatformEvent,
): Promise<PlatformUser | null> {
  const { store, ownerId } = deps;
  const { sender, chat } = event;
  const known = await store.platformUsers.get(account.id, sender.id);
  const standing = standingOf(account.conduct, sender.id, known, ownerId);
  if (standing === null) return null;
  const user: PlatformUser = {
    account: account.id,
    userId: sender.id,
    personId: standing.personId ?? personIdOf(account.id, sender.id),
    role: standing.role,
    via: standing.via,
    name: speakerName(sender.name, known?.name ?? ''),
    directChat: chat.kind === 'direct' ? chat.id : (known?.directChat ?? null),
    since: known?.since ?? new Date().toISOString(),
  };
  if (known !== null && isSame(known, user)) return user;
  // Turned away or linked meanwhile: what was read is not written back over that.
  return (await store.platformUsers.update(known, user)) ? user : userOf(deps, account, event);
}

interface Standing {
  readonly via: NonNullable<PlatformUser['via']>;
  readonly role: PlatformUser['role'];
  /** Null: a person of their own. */
  readonly personId: string | null;
}

function standingOf(
  conduct: AccountConduct,
  userId: string,
  known: PlatformUser | null,
  ownerId: string,
): Standing | null {
  if (conduct.owner.includes(userId)) return { via: 'owner', role: 'admin', personId: ownerId };
  const via = known?.via ?? 'pairing';
  if (known !== null && via === 'pairing') return { via, role: known.role, personId: known.personId };
  const isAdmin = conduct.admins.includes(userId);
  if (!isAdmin && !conduct.allow.includes(userId)) return null;
  // Who was the owner until the configuration said otherwise must not keep the owner's person.
  const personId = via === 'allow' ? (known?.personId ?? null) : null;
  return { via: 'allow', role: isAdmin ? 'admin' : 'user', personId };
}

/** Whether what let them in still does. */
export function isStillLetIn(
  conduct: Pick<AccountConduct, 'owner' | 'allow' | 'admins'>,
  { via, userId }: PlatformUser,
): boolean {
  if (via === 'owner') return conduct.owner.includes(userId);
  return via !== 'allow' || conduct.allow.includes(userId) || conduct.admins.includes(userId);
}

function isSame(one: PlatformUser, other: PlatformUser): boolean {
  return (
    one.personId === other.personId &&
    one.role === other.role &&
    one.via === other.via &&
    one.name === other.name &&
    one.directChat === other.directChat
  );
}

/** Somebody of a listed group whom nobody has let in by themselves; nothing is kept of them. */
function member(account: ConfiguredAccount, event: PlatformEvent): PlatformUser {
  return {
    account: account.id,
    userId: event.sender.id,
    personId: groupPersonIdOf(account.id, event.chat.id),
    role: 'user',
    name: event.sender.name,
    directChat: null,
    since: event.at,
  };
}
