import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { homePaths } from '../../../config/home.ts';
import type { Check } from './finding.ts';

/** The same place seen from `src/` and from `dist/`. */
const storeProgram = fileURLToPath(new URL('../../../../dist/store/main.js', import.meta.url));
const checkLimitMs = 300_000;

/** Looks through the whole database, in a process of the store's own since the command loads no database. */
export const checkDatabase: Check = ({ home, env }) => {
  const { databaseFile } = homePaths(home);
  if (!existsSync(databaseFile)) {
    return [{ name: 'database', state: 'note', detail: 'none yet; the first start makes it' }];
  }
  if (!existsSync(storeProgram)) {
    return [{ name: 'database', state: 'wrong', detail: 'Hermes is not built', hint: 'npm run build' }];
  }
  const result = spawnSync(process.execPath, [storeProgram, 'check', '--home', home], {
    env,
    encoding: 'utf8',
    timeout: checkLimitMs,
  });
  const said = `${result.stdout}${result.stderr}`.trim();
  if (result.status === 0) return [{ name: 'database', state: 'fine', detail: said.split('\n')[0] ?? '' }];
  const hint = `hermes restore brings back the newest good copy of ${homePaths(home).backupsDir}.`;
  return [{ name: 'database', state: 'wrong', detail: said, hint }];
};
