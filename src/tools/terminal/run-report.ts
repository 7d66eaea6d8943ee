import type { RunState } from '../../backends/backend.ts';
import type { ToolResult } from '../define-tool.ts';

/** Says how a run stands, for the model and for people. */
export function describeRun(state: RunState): string {
  switch (state.phase) {
    case 'running':
      return 'still running';
    case 'absent':
      return 'no such run';
    case 'lost':
      return 'lost';
    case 'exited':
      if (state.timedOut) return 'ended by its time limit';
      if (state.killed) return 'killed';
      if (state.signal !== null) return `ended by ${state.signal}`;
      return `exit code ${String(state.exitCode ?? 'unknown')}`;
  }
}

/** The result of a finished run. A non-zero exit is a result like any other; only `lost` and `absent` are unknown. */
export function reportRun(state: RunState, output: string, notes: readonly string[]): ToolResult {
  const text = output.replace(/\n+$/, '');
  const shown = text === '' ? '(no output)' : text;
  if (state.phase === 'lost' || state.phase === 'absent') {
    return {
      status: 'uncertain',
      text: `${shown}\n[The command was started, but its record breaks off (${state.phase === 'lost' ? 'its supervisor is gone; the machine may have restarted' : 'the environment no longer knows it'}). Nobody knows whether it finished. Check its effects before you run it again.]`,
      preview: 'uncertain: the command was started and its end is unknown',
    };
  }
  const facts = [describeRun(state), durationOf(state), ...notes].filter((fact) => fact !== '');
  const status = state.timedOut ? 'timed-out' : state.exitCode === 0 ? 'ok' : 'error';
  const lastLine = text.slice(text.lastIndexOf('\n') + 1);
  return {
    status,
    text: `${shown}\n[${facts.join('; ')}]`,
    preview: `${describeRun(state)}${lastLine === '' ? '' : `: ${lastLine}`}`,
  };
}

function durationOf(state: RunState): string {
  if (state.startedAt === null || state.endedAt === null) return '';
  const ms = Date.parse(state.endedAt) - Date.parse(state.startedAt);
  return ms < 1_000 ? '' : `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
