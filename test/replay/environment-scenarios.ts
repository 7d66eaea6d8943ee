import type { EnvironmentSettings } from '../../src/contracts/environment.ts';
import type { EnvironmentRef } from '../../src/gateway/environment-client.ts';
import type { EnvironmentEnv } from '../support/environment-env.ts';
import { until } from '../support/installation.ts';

/** What an environment goes through while its history is recorded. */
export interface EnvironmentScenario {
  readonly settings?: Partial<EnvironmentSettings>;
  run(env: EnvironmentEnv, ref: EnvironmentRef): Promise<void>;
}

/** Scenario name to what happens in it; the name is part of the file's. */
export const environmentScenarios: Readonly<Record<string, EnvironmentScenario>> = {
  'make-sleep-wake': {
    settings: { idleMs: 300 },
    run: async (env, ref) => {
      await env.acquire(ref, 'turn/talk/1');
      await env.environments.release(ref.environmentId, 'turn/talk/1');
      await until('sleep', async () => (await env.phase(ref)) === 'hibernated');
      await env.acquire(ref, 'turn/talk/2');
    },
  },
  'idle-completion': {
    settings: { idleMs: 200 },
    run: async (env, ref) => {
      await env.acquire(ref, 'turn/talk/1', 50);
      await until('completion', async () => !(await env.isRunning(ref)));
    },
  },
  'woken-while-it-falls-asleep': {
    settings: { idleMs: 200 },
    run: async (env, ref) => {
      env.place.hold('hibernate:snapshot');
      await env.acquire(ref, 'turn/talk/1', 50);
      await until('the snapshot', () => env.place.isReached('hibernate:snapshot'));
      const late = env.acquire(ref, 'turn/talk/2');
      await until('the question', async () => (await env.phase(ref)) === 'hibernating');
      env.place.letGo('hibernate:snapshot');
      await late;
    },
  },
  'failed-then-made': {
    run: async (env, ref) => {
      env.place.fail('create', 'Terminal.BackendUnavailable', 4);
      await env.acquire(ref).catch(() => undefined);
      await env.acquire(ref);
    },
  },
  'lost-and-reset': {
    run: async (env, ref) => {
      const { generation } = await env.acquire(ref);
      env.place.removeLive(ref.environmentId);
      await env.environments
        .acquire(ref, { holder: 'turn/talk/1', leaseMs: 1_000, unreachableGeneration: generation })
        .catch(() => undefined);
      await env.environments.change(ref, { what: 'reset', ifGeneration: generation });
      await env.environments.change(ref, { what: 'hibernate', force: true });
    },
  },
  'continue-as-new': {
    settings: { continueAsNewAfterEvents: 12 },
    run: async (env, ref) => {
      await env.acquire(ref, 'turn/talk/1');
      const { runId } = await env.handle(ref).describe();
      for (let round = 0; round < 4; round += 1) await env.acquire(ref, 'turn/talk/2');
      await until('a new run', async () => (await env.handle(ref).describe()).runId !== runId);
      await env.acquire(ref, 'turn/talk/3');
    },
  },
};
