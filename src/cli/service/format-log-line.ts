import { stripControls } from '../../lib/markdown/strip-controls.ts';

const levels: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
/** Fields that say nothing to a person who looks at one home's log. */
const silent = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'name', 'v']);

/** A structured log line as `time level message key=value …`; any other line as it is. Never throws. */
export function formatLogLine(line: string): string {
  const entry = parse(line);
  if (entry === null) return stripControls(line);
  const time = typeof entry['time'] === 'number' ? new Date(entry['time']).toISOString() : text(entry['time']);
  const level = typeof entry['level'] === 'number' ? (levels[entry['level']] ?? entry['level']) : text(entry['level']);
  const fields = Object.entries(entry)
    .filter(([key]) => !silent.has(key))
    .map(([key, value]) => `${key}=${text(value)}`);
  return stripControls([time, level, text(entry['msg']), ...fields].filter((part) => part !== '').join(' '));
}

function parse(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    // A line cut by a crash is shown as it is.
    return null;
  }
}

function text(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
