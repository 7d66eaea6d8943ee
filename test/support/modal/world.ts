import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SandboxProcess } from './process.ts';
import { baseLayer, startTree, type Tree } from './tree.ts';

export const status = { success: 1, failure: 2, terminated: 3, timeout: 4 } as const;

export interface WorldSandbox {
  readonly id: string;
  readonly taskId: string;
  readonly name: string;
  readonly createdAt: number;
  readonly tree: Tree;
  readonly processes: Map<string, SandboxProcess>;
  readonly timers: NodeJS.Timeout[];
  readonly keepsExit: boolean;
  tags: { tagName: string; tagValue: string }[];
  result: { status: number; exitcode: number } | null;
  exitImage: string | null;
  /** Resolves when it has a result. */
  readonly over: Promise<void>;
  tellOver: () => void;
}

export interface SandboxDefinition {
  readonly entrypointArgs: string[];
  readonly imageId: string;
  readonly timeoutSecs: number;
  readonly idleTimeoutSecs: number;
  readonly name: string;
  readonly experimentalOptionsV2: Record<string, string>;
}

const prefix = 'hermes-modal-';

/** A folder of this process; what processes that were killed left is removed. */
function newFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const owner = name.startsWith(prefix) ? name.slice(prefix.length).split('-')[0] : undefined;
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue;
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
}

/** Sandboxes and images, without the protocol. */
export class World {
  readonly sandboxes = new Map<string, WorldSandbox>();
  readonly images = new Map<
    string,
    { readonly layers: readonly string[]; /** Sandbox's name. */ readonly of?: string }
  >();
  private readonly folder = newFolder();
  private readonly starting = new Set<string>();
  private readonly built = new Map<string, string>();

  async build(reference: string): Promise<string> {
    const known = this.built.get(reference);
    if (known !== undefined) return known;
    const id = this.addImage([await baseLayer()]);
    this.built.set(reference, id);
    return id;
  }

  private addImage(layers: readonly string[], of?: string): string {
    const id = `im-${randomBytes(11).toString('hex')}`;
    this.images.set(id, of === undefined ? { layers } : { layers, of });
    return id;
  }

  named(name: string): WorldSandbox | undefined {
    return [...this.sandboxes.values()].reverse().find((sandbox) => sandbox.name === name);
  }

  /** What there is under a name: running sandboxes, and images made from any. */
  leftovers(name: string): string[] {
    const sandboxes = [...this.sandboxes.values()].filter((one) => one.name === name && one.result === null);
    const images = [...this.images].filter(([, { of }]) => of === name);
    return [...sandboxes.map(({ id }) => id), ...images.map(([id]) => id)];
  }

  /** Null where the name is taken. */
  async create(definition: SandboxDefinition, tags: WorldSandbox['tags']): Promise<WorldSandbox | null> {
    const { name } = definition;
    const image = this.images.get(definition.imageId);
    if (!image) throw new Error(`no image ${definition.imageId}`);
    if (name !== '' && (this.starting.has(name) || this.named(name)?.result === null)) return null;
    this.starting.add(name);
    try {
      // Ids of today's sandboxes are longer than those of the older kind, by which the SDK tells them apart.
      const id = `sb-${randomBytes(13).toString('hex')}`;
      const tree = await startTree(join(this.folder, id), image.layers, definition.entrypointArgs);
      let tellOver: () => void = () => undefined;
      const over = new Promise<void>((resolve) => (tellOver = resolve));
      const sandbox: WorldSandbox = {
        id,
        taskId: `ta-${randomUUID()}`,
        name,
        createdAt: Date.now() / 1000,
        tree,
        processes: new Map(),
        timers: [setTimeout(() => void this.end(sandbox, status.timeout), definition.timeoutSecs * 1000)],
        keepsExit: definition.experimentalOptionsV2['enable_exit_snapshot'] === 'true',
        tags,
        result: null,
        exitImage: null,
        over,
        tellOver,
      };
      this.sandboxes.set(id, sandbox);
      if (definition.idleTimeoutSecs > 0) this.watchIdle(sandbox, definition.idleTimeoutSecs * 1000);
      void tree.ended.then(() => this.end(sandbox, status.success));
      return sandbox;
    } finally {
      this.starting.delete(name);
    }
  }

  private watchIdle(sandbox: WorldSandbox, idleMs: number): void {
    let since = Date.now();
    const look = setInterval(
      () => {
        if (sandbox.processes.size > 0) since = Date.now();
        else if (Date.now() - since > idleMs) void this.end(sandbox, status.timeout);
      },
      Math.min(1_000, idleMs / 4),
    );
    sandbox.timers.push(look);
  }

  exec(sandbox: WorldSandbox, execId: string, options: ConstructorParameters<typeof SandboxProcess>[1]): void {
    const known = this.finished.get(execId) ?? sandbox.processes.get(execId);
    if (known) return;
    const started = new SandboxProcess(sandbox.tree, options);
    sandbox.processes.set(execId, started);
    void started.exit.then(() => {
      sandbox.processes.delete(execId);
      this.finished.set(execId, started);
    });
  }

  /** Those that ended, for whoever still reads their output. */
  readonly finished = new Map<string, SandboxProcess>();

  async snapshot(sandbox: WorldSandbox): Promise<string> {
    const layer = join(this.folder, `layer-${randomBytes(8).toString('hex')}`);
    await sandbox.tree.copyChanges(layer);
    return this.addImage([layer, ...sandbox.tree.layers], sandbox.name);
  }

  /** `keep` false: as when the machine under it fails, with nothing kept. */
  async end(sandbox: WorldSandbox, why: number, { keep = true } = {}): Promise<void> {
    if (sandbox.result) return;
    sandbox.result = { status: why, exitcode: why === status.success ? 0 : 137 };
    for (const timer of sandbox.timers) clearTimeout(timer);
    await sandbox.tree.end();
    if (keep && sandbox.keepsExit) sandbox.exitImage = await this.snapshot(sandbox);
    sandbox.tree.remove();
    sandbox.tellOver();
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.sandboxes.values()].map((sandbox) => this.end(sandbox, status.terminated, { keep: false })),
    );
    rmSync(this.folder, { recursive: true, force: true });
  }
}
