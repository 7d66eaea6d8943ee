import { createConfigSource, type ConfigSource } from '../config/source.ts';
import { hermesHome, homePaths, type HomePaths } from '../config/home.ts';
import { hasErrors, type Problem } from '../config/load.ts';
import { secretValues } from '../config/secret-values.ts';
import { createRedactor } from '../lib/redact.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/ports.ts';
import { createLog, type Logger } from './log.ts';

/** What every service process has, whatever its role. */
export interface Core {
  readonly env: NodeJS.ProcessEnv;
  readonly paths: HomePaths;
  readonly source: ConfigSource;
  readonly redact: (text: string) => string;
  readonly log: Logger;
  readonly store: Store;
}

/** A configuration that cannot be started with; `message` lists every problem. */
export class BadConfig extends Error {
  constructor(problems: readonly Problem[]) {
    super(problems.map((one) => one.message).join('\n'));
    this.name = 'BadConfig';
  }
}

/** @throws BadConfig, or PortError `Storage.*` for a database that cannot be used. */
export async function openCore(env: NodeJS.ProcessEnv, part: string): Promise<Core> {
  const home = hermesHome(env);
  const paths = homePaths(home);
  let report = (problems: readonly Problem[]): void => {
    if (hasErrors(problems)) throw new BadConfig(problems);
  };
  const source = createConfigSource({ home, env, onProblems: (problems) => report(problems) });
  const redact = followSecrets(source, env);
  const log = createLog({ level: source.current().service.logLevel, part, redact });
  report = (problems) => {
    for (const one of problems)
      log.warn({ problem: one.message }, 'configuration has a problem; the last good one stays');
  };
  const store = await openStore({ file: paths.databaseFile, backupDir: paths.backupsDir });
  return { env, paths, source, redact, log, store };
}

/** A redactor that knows today's secrets. */
function followSecrets(source: ConfigSource, env: NodeJS.ProcessEnv): (text: string) => string {
  let config = source.current();
  let redact = createRedactor({ known: secretValues(config, env) });
  return (text) => {
    const now = source.current();
    if (now !== config) {
      config = now;
      redact = createRedactor({ known: secretValues(config, env) });
    }
    return redact(text);
  };
}
