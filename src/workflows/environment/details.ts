import type { EnvironmentHandleJson, EnvironmentSnapshot } from '../../contracts/environment.ts';

const shownLogLines = 10;
const hourMs = 3_600_000;

/**
 * What a person wants to see of an environment in the Temporal UI.
 * @param now Milliseconds; hours slept count up to it.
 * @returns Markdown.
 */
export function renderEnvironment(
  snapshot: EnvironmentSnapshot,
  handle: EnvironmentHandleJson | null,
  now: number,
): string {
  const asleepMs = snapshot.sleepingSince === null ? 0 : Math.max(0, now - Date.parse(snapshot.sleepingSince));
  const lines = [
    `### ${snapshot.environmentId}`,
    '',
    `**${snapshot.phase}** on ${snapshot.backend} · ${lastWake(snapshot.lastWakeMs)} · slept ${hours(snapshot.sleptMs + asleepMs)} h`,
    '',
    handle === null ? '_nothing is kept_' : describeHandle(handle),
  ];
  if (snapshot.failure !== null) lines.push('', `> ${snapshot.failure.code}: ${snapshot.failure.message}`);
  if (snapshot.leases.length > 0) {
    lines.push('', 'In use by', '', ...snapshot.leases.map((one) => `- \`${one.holder}\` until ${one.until}`));
  }
  if (snapshot.log.length > 0) {
    lines.push('', 'Last events', '', ...snapshot.log.slice(0, shownLogLines).map((line) => `- ${line}`));
  }
  return lines.join('\n');
}

function lastWake(ms: number | null): string {
  return ms === null ? 'never woken' : `last wake ${(ms / 1_000).toFixed(1)} s`;
}

function hours(ms: number): string {
  return (ms / hourMs).toFixed(1);
}

function describeHandle({ state }: EnvironmentHandleJson): string {
  const parts = Object.entries(state).map(([key, value]) => `${key} \`${clip(value)}\``);
  return parts.length === 0 ? '_found by its name_' : parts.join(' · ');
}

function clip(value: string): string {
  return value.length <= 60 ? value : `${value.slice(0, 59)}…`;
}
