import { defineConfig } from 'vitest/config';

// Real processes, kills and clocks on a shared machine: one more try in CI, which the report names.
const retry = process.env['CI'] === undefined ? 0 : 1;

const project = (name: string, timeoutMs: number, alone = false) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
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
      project('contract', 60_000),
      project('workflow', 60_000),
      project('replay', 60_000),
      project('integration', 120_000),
      project('chaos', 180_000, true),
    ],
  },
});
