import { createHash, randomUUID } from 'node:crypto';
import { PortError } from '../lib/port-error.ts';
import type { RunSpec } from './backend.ts';

/**
 * Names and texts of the run protocol's files. Paths are POSIX paths of the environment, whatever the service runs on.
 *
 *   <root>/scripts-<version>/            run-scripts.ts
 *   <root>/sessions/<name>/state, cwd    what the next run of the session starts from
 *   <root>/sessions/<name>/runs/<name>   one empty file per run of the session
 *   <root>/runs/<name>/                  one folder per run
 */

/** File name for any key: readable, and different for different keys even where the file system ignores case. */
export function safeName(key: string): string {
  const readable = key
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 80);
  return `${readable}_${createHash('sha256').update(key).digest('hex').slice(0, 24)}`;
}

/** One word for sh, whatever the text holds. Throws Terminal.Invalid for NUL, which no shell can carry. */
export function shellQuote(text: string): string {
  if (text.includes('\0')) throw new PortError('Terminal.Invalid', 'A command or path cannot contain a NUL character.');
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** First line of `spec`, for readers that are not a shell. */
export interface SpecHeader {
  readonly key: string;
  readonly sessionKey: string;
  readonly stdin: boolean;
  readonly createdAt: string;
}

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface SpecSettings {
  /** Folder of the run's session. */
  readonly sessionFolder: string;
  /** Where a session starts, and where it falls back to. */
  readonly defaultCwd: string;
  /** Absolute; undefined: bash, or sh where there is none. */
  readonly shell: string | undefined;
  /** Absolute form of the run's own directory. */
  readonly cwd: string | undefined;
}

/** Text of the `spec` file: JSON in its first line, then assignments for sh. Throws Terminal.Invalid. */
export function specText(spec: RunSpec, settings: SpecSettings): string {
  const env = Object.entries(spec.env ?? {});
  const badName = env.find(([name]) => !variableName.test(name));
  if (badName) throw new PortError('Terminal.Invalid', `Not a name for a variable: ${badName[0]}`);
  if (spec.timeoutMs !== undefined && !(spec.timeoutMs > 0 && Number.isFinite(spec.timeoutMs))) {
    throw new PortError('Terminal.Invalid', `A time-out is a positive number of milliseconds, not ${spec.timeoutMs}.`);
  }
  if (
    spec.pty &&
    ![spec.pty.columns, spec.pty.rows].every((cells) => Number.isInteger(cells) && cells > 0 && cells < 10_000)
  ) {
    throw new PortError('Terminal.Invalid', `Not a size for a terminal: ${spec.pty.columns} x ${spec.pty.rows}.`);
  }
  const header: SpecHeader = {
    key: spec.key,
    sessionKey: spec.sessionKey,
    stdin: spec.stdin === true,
    createdAt: new Date().toISOString(),
  };
  const exports = env.map(([name, value]) => `export ${name}=${shellQuote(value)}`);
  return [
    `# ${JSON.stringify(header)}`,
    `__h_marker=${randomUUID()}`,
    `__h_session=${shellQuote(settings.sessionFolder)}`,
    `__h_default_cwd=${shellQuote(settings.defaultCwd)}`,
    `__h_override=${shellQuote(settings.cwd ?? '')}`,
    `__h_shell=${shellQuote(settings.shell ?? '')}`,
    `__h_timeout=${spec.timeoutMs === undefined ? '' : (spec.timeoutMs / 1000).toFixed(3)}`,
    `__h_stdin=${spec.stdin === true ? '1' : ''}`,
    `__h_pty=${spec.pty ? shellQuote(`${spec.pty.columns} ${spec.pty.rows}`) : ''}`,
    `__h_env_names=${shellQuote(env.map(([name]) => name).join('\n'))}`,
    `__h_env() {`,
    ...exports,
    `:`,
    `}`,
    `__h_command=${shellQuote(spec.command)}`,
    '',
  ].join('\n');
}

export function parseSpecHeader(line: string): SpecHeader {
  return JSON.parse(line.replace(/^# /, '')) as SpecHeader;
}
