import { randomUUID } from 'node:crypto';
import { backendIds } from '../../backends/registry.ts';
import type { BackendReport, CopyRequest, EnvironmentView } from '../../contracts/api-environments.ts';
import type { EnvironmentSnapshot } from '../../contracts/environment.ts';
import type { EnvironmentClient, EnvironmentRef } from '../../gateway/environment-client.ts';
import type { Environments } from '../../gateway/environments.ts';
import { Refusal } from '../../gateway/refusal.ts';
import { PortError } from '../../lib/port-error.ts';
import type { Store } from '../../store/ports.ts';
import type { Core } from '../core.ts';
import type { Backends } from './backends.ts';
import { copyWorkspace, type Workplace } from './copy-workspace.ts';
import { environmentIdOf } from './terminal.ts';

export interface EnvironmentsParts {
  readonly core: Pick<Core, 'source'>;
  readonly store: Pick<Store, 'environments' | 'conversations'>;
  readonly client: EnvironmentClient;
  readonly backends: Backends;
  readonly personId: string;
}

const copyLeaseMs = 600_000;

/** What the API shows and changes, over the environments' workflows and the backends themselves. */
export function createEnvironments(parts: EnvironmentsParts): Environments {
  const { client, backends } = parts;
  const directory = createDirectory(parts);
  const { refOf, viewOf, alwaysAwake, awakeView } = directory;
  return {
    backends: () => Promise.all(backendIds.map((id) => reportOf(parts, id))),
    list: async () => {
      const rows = await client.list();
      return Promise.all(rows.map(async (row) => viewOf(row, (await client.snapshot(row.environmentId)) ?? row)));
    },
    get: async (id) => {
      const ref = await refOf(id);
      if (await alwaysAwake(ref)) return awakeView(ref);
      return viewOf(ref, await client.snapshot(ref.environmentId));
    },
    change: async (id, what) => {
      const ref = await refOf(id);
      if (!(await alwaysAwake(ref))) return viewOf(ref, await client.change(ref, { what }));
      if (what !== 'reset') return awakeView(ref);
      const why = `Commands of ${ref.backend} run in your own files; there is nothing to reset.`;
      throw new Refusal('Api.NotSupported', why);
    },
    lease: async (id, request) => {
      const ref = await refOf(id);
      if (await alwaysAwake(ref)) {
        const handle = await (await backends.of(ref.backend)).create(ref.environmentId);
        return { handle: { ...handle, state: { ...handle.state } }, leasedUntil: null };
      }
      const { handle, leasedUntil } = await client.acquire(ref, request);
      return { handle: { ...handle, state: { ...handle.state } }, leasedUntil };
    },
    release: async (id, holder) => client.release((await refOf(id)).environmentId, holder),
    copy: async ({ from, to, path }, signal) => {
      refuseCopy(parts, { from, to, path });
      const source = await workplace(parts, await directory.refFor(from));
      try {
        const target = await workplace(parts, await directory.refFor(to));
        try {
          return await copyWorkspace({ source, target, path, signal });
        } finally {
          await target.release();
        }
      } finally {
        await source.release();
      }
    },
  };
}

/** Finds environments by what people call them, and says how they are. */
function createDirectory(parts: EnvironmentsParts) {
  const { core, backends, personId, store } = parts;
  const terminal = () => core.source.current().terminal;
  const refFor = async (backend: string): Promise<EnvironmentRef> => {
    // Asked for only where it matters: it makes the conversation if there is none.
    const perConversation = terminal().scope === 'conversation';
    const conversationId = perConversation ? (await store.conversations.current(personId)).id : '';
    return { environmentId: environmentIdOf({ conversationId, personId }, terminal(), backend), backend, personId };
  };
  const refOf = async (id: string): Promise<EnvironmentRef> => {
    const current = await refFor(terminal().backend);
    if (id === 'current' || id === current.environmentId) return current;
    const row = await store.environments.get(id);
    if (row !== null) return { environmentId: id, backend: row.backend, personId: row.personId };
    throw new Refusal('Api.NotFound', `There is no environment ${id}.`, { hint: 'hermes backend status lists them.' });
  };
  const viewOf = async (ref: EnvironmentRef, snapshot: EnvironmentSnapshot | null): Promise<EnvironmentView> => ({
    environmentId: ref.environmentId,
    backend: ref.backend,
    current: ref.environmentId === (await refFor(terminal().backend)).environmentId,
    phase: snapshot?.phase ?? 'absent',
    detail: await detailOf(parts, ref),
    leases: (snapshot?.leases ?? []).map(({ holder, until }) => ({ holder, until })),
    lastWakeMs: snapshot?.lastWakeMs ?? null,
    sleptMs: snapshot?.sleptMs ?? 0,
    sleepingSince: snapshot?.sleepingSince ?? null,
    failure: snapshot?.failure ?? null,
    log: [...(snapshot?.log ?? [])],
  });
  return {
    refFor,
    refOf,
    viewOf,
    /** Such a backend has no workflow and no row. */
    alwaysAwake: async (ref: EnvironmentRef): Promise<boolean> => !(await backends.of(ref.backend)).hibernates,
    awakeView: async (ref: EnvironmentRef): Promise<EnvironmentView> => ({
      ...(await viewOf(ref, null)),
      phase: 'awake',
    }),
  };
}

type HeldWorkplace = Workplace & { release(): Promise<void> };

/** An environment that stays awake until it is released. */
async function workplace({ backends, client }: EnvironmentsParts, ref: EnvironmentRef): Promise<HeldWorkplace> {
  const backend = await backends.of(ref.backend);
  if (!backend.hibernates) {
    const session = await backend.connect(await backend.create(ref.environmentId));
    return { backend: ref.backend, session, release: () => Promise.resolve() };
  }
  const holder = `copy/${randomUUID()}`;
  const renew = async () => client.acquire(ref, { holder, leaseMs: copyLeaseMs });
  const { handle } = await renew();
  // A renewal that fails is followed by another long before the lease ends.
  const renewal = setInterval(() => void renew().catch(() => undefined), copyLeaseMs / 5);
  return {
    backend: ref.backend,
    session: await backend.connect(handle),
    release: async () => {
      clearInterval(renewal);
      await client.release(ref.environmentId, holder);
    },
  };
}

function refuseCopy({ core }: EnvironmentsParts, { from, to, path }: CopyRequest): void {
  if (from === to) throw new Refusal('Api.Invalid', 'The two backends are the same.');
  for (const id of [from, to]) {
    if (backendIds.some((known) => known === id)) continue;
    throw new Refusal('Api.NotFound', `There is no backend ${id}.`, { hint: `Known: ${backendIds.join(', ')}` });
  }
  if (from === 'local' && path === undefined && core.source.current().terminal.cwd === null) {
    throw new Refusal('Api.Invalid', 'That would carry your whole home folder across.', {
      hint: 'Name a folder with --path, or set terminal.cwd.',
    });
  }
}

async function reportOf(parts: EnvironmentsParts, id: string): Promise<BackendReport> {
  const current = parts.core.source.current().terminal.backend === id;
  try {
    const { usable, detail, fix } = await (await parts.backends.of(id)).check();
    return { id, current, usable, detail, fix: fix ?? null };
  } catch (error) {
    // Settings that contradict each other stop a backend before it can be asked.
    return { id, current, usable: false, detail: (error as Error).message, fix: null };
  }
}

async function detailOf({ backends, store }: EnvironmentsParts, ref: EnvironmentRef): Promise<string> {
  try {
    const backend = await backends.of(ref.backend);
    const row = await store.environments.get(ref.environmentId);
    const handle = backend.hibernates ? (row?.handle ?? null) : await backend.create(ref.environmentId);
    return handle === null ? 'not made yet' : (await backend.describe(handle)).detail;
  } catch (error) {
    return PortError.is(error) ? `cannot be asked: ${error.message}` : String(error);
  }
}
