import { defineConfig } from 'vitest/config';

// Real processes, kills and clocks on a shared machine: one more try in CI, which the report names.
const retry = process.env['CI'] === undefined ? 0 : 1;

// Need an engine or server beside Node, so they run once and not on every Node line.
const engines = ['test/contract/backends/{docker,ssh,singularity,modal,daytona,remote,local-}*.test.ts'];

const project = (
  name: string,
  timeoutMs: number,
  { alone = false, include = [`test/${name}/**/*.test.ts`], exclude = [] as string[] } = {},
) => ({
  test: {
    name,
    include,
    exclude,
    testTimeout: timeoutMs,
    hookTimeout: 120_000,
    pool: 'forks' as const,
    retry,
    // What measures recovery runs by itself, after the rest.
    ...(alone ? { fileParallelism: false, maxWorkers: 1, sequence: { groupOrder: 1 } } : {}),
  },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', 20_000),
      project('contract', 60_000, { exclude: engines }),
      project('engines', 180_000, { include: engines }),
      project('workflow', 60_000),
      project('replay', 60_000),
      project('integration', 120_000),
      project('chaos', 180_000, { alone: true }),
    ],
  },
});
