import { createHash } from 'node:crypto';
import type { EnvironmentHandle } from '../backend.ts';

/** What a handle says, and what the tags of a sandbox say for those who lost the handle. */
export interface ModalState {
  /** Asleep: `sandbox` has been or is to be ended, `snapshot` holds the files. */
  readonly phase: 'awake' | 'asleep';
  readonly sandbox: string;
  /** When Modal ends the sandbox whatever happens. */
  readonly expiresAt?: string;
  /** Image with the files as they were at `snapshotAt`. */
  readonly snapshot?: string;
  readonly snapshotAt?: string;
  /** Images nobody needs once the newest snapshot has been woken, space separated. */
  readonly obsolete?: string;
  /** The sandbox before this one ended by itself at about this time, and what changed since `snapshotAt` is lost. */
  readonly lostAt?: string;
}

export function stateOf(handle: EnvironmentHandle): ModalState {
  return handle.state as unknown as ModalState;
}

/** A handle without what is undefined or empty. */
export function handleOf(environmentId: string, state: Partial<ModalState>): EnvironmentHandle {
  const entries = Object.entries(state).filter(([, value]) => ((value as string | undefined) ?? '') !== '');
  const ends = state.phase === 'awake' && state.expiresAt !== undefined ? { expiresAt: state.expiresAt } : {};
  return { environmentId, backend: 'modal', state: Object.fromEntries(entries), ...ends };
}

export function obsoleteImages(state: ModalState): string[] {
  return state.obsolete?.split(' ').filter(Boolean) ?? [];
}

export function withObsolete(state: ModalState, ...images: (string | undefined)[]): string {
  return [...new Set([...obsoleteImages(state), ...images])].filter(Boolean).join(' ');
}

export const tagNames = {
  installation: 'hermes.installation',
  environment: 'hermes.environment',
  /** Milliseconds since 1970; what Modal allows in a tag has no colon. */
  createdAt: 'hermes.created-at',
  expiresAt: 'hermes.expires-at',
  /** Newest snapshot: the one the sandbox was made from, later the one made of it. */
  snapshot: 'hermes.snapshot',
  snapshotAt: 'hermes.snapshot-at',
  lostAt: 'hermes.lost-at',
  /** `hibernated`: the snapshot holds everything. `destroyed`: nothing is to be kept. */
  ended: 'hermes.ended',
} as const;

export type Tags = Readonly<Record<string, string>>;

const toTag = (at: string | undefined) => (at === undefined ? undefined : String(Date.parse(at)));
const fromTag = (at: string | undefined) => (at === undefined ? undefined : new Date(Number(at)).toISOString());

/** For the tags of a sandbox: its part of the state. */
export function tagsOf(state: Partial<ModalState>): Tags {
  const tags = {
    [tagNames.expiresAt]: toTag(state.expiresAt),
    [tagNames.snapshot]: state.snapshot,
    [tagNames.snapshotAt]: toTag(state.snapshotAt),
    [tagNames.lostAt]: toTag(state.lostAt),
  };
  return Object.fromEntries(Object.entries(tags).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

export function stateFromTags(sandbox: string, tags: Tags): ModalState {
  const state = {
    phase: 'awake',
    sandbox,
    expiresAt: fromTag(tags[tagNames.expiresAt]),
    snapshot: tags[tagNames.snapshot],
    snapshotAt: fromTag(tags[tagNames.snapshotAt]),
    lostAt: fromTag(tags[tagNames.lostAt]),
  };
  return Object.fromEntries(Object.entries(state).filter(([, value]) => value !== undefined)) as unknown as ModalState;
}

/** Modal's names have at most 64 characters; two environments never share one. */
export function environmentTag(environmentId: string): string {
  const readable = environmentId.replace(/[^A-Za-z0-9-]+/g, '-').replace(/^-+|-+$/g, '');
  return `${readable.slice(0, 24)}-${createHash('sha256').update(environmentId).digest('hex').slice(0, 16)}`;
}

export function sandboxName(installationId: string, environmentId: string): string {
  return `hermes-${installationId}-${environmentTag(environmentId)}`;
}
