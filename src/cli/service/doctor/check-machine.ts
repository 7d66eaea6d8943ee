import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { homePaths } from '../../../config/home.ts';
import type { Check, Finding } from './finding.ts';

const oldestNode = [20, 19] as const;
const scarceBytes = 200_000_000;
const lowBytes = 1_000_000_000;

/** The Node that runs this is the one that runs the service. */
export const checkNode: Check = () => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const enough = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  const detail = `${process.versions.node} (${process.platform} ${process.arch})`;
  if (enough) return [{ name: 'node', state: 'fine', detail }];
  return [{ name: 'node', state: 'wrong', detail, hint: `Install Node ${oldestNode.join('.')} or newer.` }];
};

/** The home can be written, and what holds secrets or words of people is closed to others. */
export const checkHome: Check = ({ home, fix }) => {
  if (!existsSync(home)) {
    if (!fix) return [{ name: 'home', state: 'note', detail: `${home} is not there yet; the first start makes it` }];
    mkdirSync(home, { recursive: true, mode: 0o700 });
    return [{ name: 'home', state: 'fixed', detail: `made ${home}` }];
  }
  try {
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    const hint = `Make it writable: chown -R "$USER" ${home}`;
    return [{ name: 'home', state: 'wrong', detail: `${home} cannot be written`, hint }];
  }
  const paths = homePaths(home);
  const open = [paths.secretsFile, paths.apiTokenFile]
    .filter((path) => existsSync(path) && (statSync(path).mode & 0o077) !== 0)
    .map((path): Finding => {
      if (!fix) {
        return { name: 'home', state: 'wrong', detail: `others can read ${path}`, hint: `chmod 600 ${path}` };
      }
      chmodSync(path, 0o600);
      return { name: 'home', state: 'fixed', detail: `closed ${path} to others` };
    });
  return open.length > 0 ? open : [{ name: 'home', state: 'fine', detail: home }];
};

/** Room for the databases: SQLite stops accepting messages on a full disk. */
export const checkDisk: Check = ({ home }) => {
  const { bavail, bsize } = statfsSync(existsSync(home) ? home : dirname(home));
  const freeBytes = bavail * bsize;
  const detail = `${(freeBytes / 1e9).toFixed(1)} GB free`;
  if (freeBytes < scarceBytes) return [{ name: 'disk', state: 'wrong', detail, hint: `Make room near ${home}.` }];
  return [{ name: 'disk', state: freeBytes < lowBytes ? 'note' : 'fine', detail }];
};

/** Runs a command in the shell the local backend uses. */
export const checkShell: Check = () => {
  const programs = ['bash', 'sh'];
  const found = programs.find((program) => {
    const result = spawnSync(program, ['-c', 'echo "$((6 * 7))"'], { encoding: 'utf8', timeout: 10_000 });
    return result.status === 0 && result.stdout.trim() === '42';
  });
  if (found === undefined) {
    return [{ name: 'shell', state: 'wrong', detail: 'no shell runs commands', hint: 'Install bash.' }];
  }
  const ripgrep = spawnSync('rg', ['--version'], { timeout: 10_000 }).status === 0;
  const search = ripgrep ? '' : ', no rg (file search is slower without it)';
  return [{ name: 'shell', state: 'fine', detail: `${found}${search}` }];
};
