import type { ActivityDeps, AgentSettings } from '../../activities/deps.ts';
import type { StreamBus } from '../../stream/bus.ts';
import type { ToolDeps } from '../../tools/tool-deps.ts';
import { expandHome } from '../../config/home.ts';
import { accountsSetUp } from '../../gateway/configured-accounts.ts';
import { createFileOutbound } from '../../gateway/outbound/file-outbound.ts';
import { platformOf } from '../../gateway/platforms/registry.ts';
import type { Core } from '../core.ts';
import type { Backends } from './backends.ts';
import type { Models } from './models.ts';
import type { Terminals } from './terminal.ts';
import { createToolRegistry } from '../../tools/registry.ts';

/** Fills in what activities need. */
export function composeActivities(
  core: Core,
  parts: {
    readonly bus: StreamBus;
    readonly models: Models;
    readonly terminals: Terminals;
    readonly backends: Backends;
    readonly draining: AbortSignal;
  },
): ActivityDeps {
  const { store, redact, log } = core;
  const outbound = createFileOutbound({
    store,
    bus: parts.bus,
    capabilitiesOf: (id) => accountsSetUp(core.source.current()).find((one) => one.id === id)?.descriptor.capabilities,
  });
  return {
    store,
    bus: parts.bus,
    models: parts.models.gateway,
    tools: createToolRegistry(),
    toolDeps: () => ({ ...toolDeps(core), outbound }),
    terminals: parts.terminals,
    backendOf: (id) => parts.backends.of(id),
    settings: () => agentSettings(core),
    draining: parts.draining,
    redact,
    log,
  };
}

function toolDeps(core: Core): ToolDeps {
  const { store, redact } = core;
  const { terminal, approvals, web } = core.source.current();
  return {
    search: store.search,
    todos: store.todos,
    memories: store.memories,
    blobs: store.blobs,
    rules: store.rules,
    redact,
    settings: {
      backend: terminal.backend,
      commandTimeoutMs: terminal.commandTimeoutMs,
      maxCommandTimeoutMs: terminal.maxCommandTimeoutMs,
      approvals: approvals.mode,
      web,
      envPassthrough: terminal.envPassthrough,
      homeFolder: expandHome('~', core.env),
      hermesHome: core.paths.home,
    },
  };
}

function agentSettings(core: Core): AgentSettings {
  const { agent, terminal } = core.source.current();
  return {
    agentName: agent.name,
    instructions: agent.instructions ?? '',
    backend: terminal.backend,
    describePlatform,
    budget: {
      maxSteps: agent.maxStepsPerTurn,
      maxTokens: agent.maxTokensPerTurn,
      maxCostUsd: agent.maxCostPerTurnUsd,
      maxCostPerDayUsd: agent.maxCostPerDayUsd,
      maxWallTimeMs: agent.maxWallTimeMinutes === null ? null : agent.maxWallTimeMinutes * 60_000,
    },
  };
}

/** Answers on a chat platform are written for what it can show. */
function describePlatform(id: string): string {
  const platform = platformOf(id);
  return platform === undefined ? id : `${platform.title} (${platform.promptHint.replace(/\.$/, '')})`;
}
