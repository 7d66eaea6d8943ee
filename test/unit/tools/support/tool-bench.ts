import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseEnvironment } from '../../../../src/backends/base-environment.ts';
import { createLocalBackend } from '../../../../src/backends/local.ts';
import type { TerminalSession } from '../../../../src/backends/backend.ts';
import { createRedactor } from '../../../../src/lib/redact.ts';
import { openStore } from '../../../../src/store/open-store.ts';
import type { Store } from '../../../../src/store/ports.ts';
import type { ToolContext, ToolResult } from '../../../../src/tools/define-tool.ts';
import { createToolRegistry, type PlannedTool } from '../../../../src/tools/registry.ts';
import type { ToolDeps, ToolSettings } from '../../../../src/tools/tool-deps.ts';

export interface CallOptions {
  readonly callKey?: string;
  readonly attempt?: number;
  readonly signal?: AbortSignal;
  readonly draining?: AbortSignal;
  readonly answer?: string;
  readonly settings?: Partial<ToolSettings>;
}

export interface ToolBench {
  readonly home: string;
  /** Where the conversation's terminal starts. */
  readonly work: string;
  readonly store: Store;
  readonly session: TerminalSession;
  plan(name: string, args: unknown, settings?: Partial<ToolSettings>): Promise<PlannedTool>;
  /** Plans and runs; fails when the plan does not let the call run by itself. */
  call(name: string, args: unknown, options?: CallOptions): Promise<ToolResult>;
  close(): Promise<void>;
}

export const conversationId = 'main';
export const personId = 'ada';

/** A real shell, a real store and every tool, in a folder of their own. */
export async function openToolBench(): Promise<ToolBench> {
  const root = await mkdtemp(join(tmpdir(), 'hermes-tools-'));
  const home = join(root, 'home');
  const work = join(home, 'work');
  await mkdir(work, { recursive: true });
  const store = await openStore({ file: join(root, 'hermes.db'), backupDir: root });
  await store.conversations.create({ id: conversationId, personId, platform: 'cli' });
  const backend = createLocalBackend({
    runsDir: join(root, 'runs'),
    cwd: work,
    baseEnv: baseEnvironment({ PATH: globalThis.process.env['PATH'], HOME: home, LANG: 'C.UTF-8' }),
  });
  const handle = await backend.create('ada');
  const session = await backend.connect(handle);
  const registry = createToolRegistry();
  let calls = 0;

  const depsWith = (settings: Partial<ToolSettings> = {}): ToolDeps => ({
    settings: {
      backend: 'local',
      commandTimeoutMs: 20_000,
      maxCommandTimeoutMs: 60_000,
      approvals: 'ask',
      web: { allowPrivateAddresses: true, maxBytes: 1_000_000, maxRedirects: 3, timeoutMs: 5_000 },
      envPassthrough: [],
      homeFolder: home,
      ...settings,
    },
    search: store.search,
    todos: store.todos,
    memories: store.memories,
    blobs: store.blobs,
    rules: store.rules,
    redact: createRedactor({ known: [] }),
  });

  const plan = (name: string, args: unknown, settings?: Partial<ToolSettings>): Promise<PlannedTool> =>
    registry.plan(
      { id: 'call', name, argumentsText: typeof args === 'string' ? args : JSON.stringify(args) },
      { conversationId, personId, deps: depsWith(settings) },
    );

  const call = async (name: string, args: unknown, options: CallOptions = {}): Promise<ToolResult> => {
    const planned = await plan(name, args, options.settings);
    if (planned.kind === 'rejected') throw new Error(planned.text);
    if (planned.plan.blocked !== undefined) throw new Error(`blocked: ${planned.plan.blocked}`);
    if (planned.plan.approval !== undefined) throw new Error(`asks: ${planned.plan.approval.reason}`);
    calls += 1;
    const context: ToolContext = {
      conversationId,
      personId,
      turn: 1,
      step: 1,
      callKey: options.callKey ?? `${conversationId}/1/1/${String(calls)}`,
      attempt: options.attempt ?? 1,
      signal: options.signal ?? new AbortController().signal,
      draining: options.draining ?? new AbortController().signal,
      answer: options.answer,
      terminal: () => Promise.resolve(session),
      deps: depsWith(options.settings),
    };
    return registry.run(planned.name, planned.input, context);
  };

  return {
    home,
    work,
    store,
    session,
    plan,
    call,
    close: async () => {
      await backend.destroy(handle);
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
