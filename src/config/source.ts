import { statSync } from 'node:fs';
import { homePaths } from './home.ts';
import { hasErrors, loadConfig, type ConfigPlace, type LoadedConfig, type Problem } from './load.ts';
import type { Config } from './schema.ts';

/** The configuration of a running process, as fresh as its files. */
export interface ConfigSource {
  /**
   * The newest good configuration. Looks at the files at most every 200 ms and reads them only when they changed, so it
   * may be called for every turn. When the new files are broken, the last good one stays. Never throws.
   */
  current(): Config;
  /** What is wrong with the files as last read; also when an older configuration is still in force. */
  problems(): readonly Problem[];
}

export interface ConfigSourceOptions extends ConfigPlace {
  /** Called once for every reading that found something, the first one included. */
  readonly onProblems?: (problems: readonly Problem[]) => void;
  /** Milliseconds that only go forward. */
  readonly clock?: () => number;
}

const lookEveryMs = 200;

/**
 * Starts from the files as they are now. With errors in them there is no last good configuration: then `current()` is
 * the defaults where keys are wrong, and a service must look at `problems()` and refuse to start.
 */
export function createConfigSource(options: ConfigSourceOptions): ConfigSource {
  const { home, env, onProblems, clock = () => performance.now() } = options;
  const { configFile, secretsFile } = homePaths(home);
  const stamp = (): string => `${stampOf(configFile)} ${stampOf(secretsFile)}`;

  let seen = stamp();
  let lookedAt = clock();
  let latest = loadConfig({ home, env });
  let good: LoadedConfig = latest;
  const report = (): void => {
    if (latest.problems.length > 0) onProblems?.(latest.problems);
  };
  report();

  const refresh = (): void => {
    if (clock() - lookedAt < lookEveryMs) return;
    lookedAt = clock();
    // Taken before reading: a change while reading shows as one more change at the next look.
    const now = stamp();
    if (now === seen) return;
    seen = now;
    latest = loadConfig({ home, env });
    if (!hasErrors(latest.problems)) good = latest;
    report();
  };

  return {
    current: () => {
      refresh();
      return good.config;
    },
    problems: () => {
      refresh();
      return latest.problems;
    },
  };
}

/** Changes whenever the file's content can have changed; also on chmod, which decides whether secrets are read. */
function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? 'absent' : [stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join('.');
}
