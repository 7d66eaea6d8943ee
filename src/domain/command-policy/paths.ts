import { ask, block, type Finding } from './verdict.ts';
import { isKnown, unknownPiece, type Scope } from './scope.ts';

/** Where a path leads, as far as deleting it is concerned. */
export type Place =
  /** `/`, a folder right below it that the system needs, or everything in one of them. */
  | 'root'
  | 'system'
  /** A person's whole home. */
  | 'home'
  /** This program's own folder or one that holds it. */
  | 'hermes'
  | 'cwd-itself'
  | 'inside'
  | 'temporary'
  | 'outside'
  | 'unknown';

const systemFolders = new Set(
  'bin boot dev etc home lib lib32 lib64 libx32 opt proc root sbin srv sys usr var Users System Library Applications Volumes'.split(
    ' ',
  ),
);
const homePattern = /^(?:\/root|\/(?:home|Users)\/[^/]+|~)$/;
/** Folders of a home that nobody rebuilds; a relative one may well stand for them. */
const preciousPattern = /^(?:\.git|\.ssh|\.gnupg|\.config|\.local|Documents|Desktop|Downloads|Pictures|Music|Videos)$/i;

const rebuildablePattern =
  /(?:^|\/)(?:node_modules|dist|build|target|coverage|__pycache__|\.cache|\.next|\.venv|venv|out|tmp)\/?$/;

/** Absolute or cwd-relative form without `.`, `..` and doubled slashes; `..` stays where it leaves an unknown start. */
export function normalise(path: string, cwd: string): string {
  const joined = path.startsWith('/') || path.startsWith('~') ? path : `${cwd}/${path}`;
  const absolute = joined.startsWith('/');
  const segments: string[] = [];
  for (const segment of joined.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..' && segments.length > 0 && segments.at(-1) !== '..') segments.pop();
    else if (segment !== '..' || !absolute) segments.push(segment);
  }
  return absolute ? `/${segments.join('/')}` : segments.length === 0 ? '.' : segments.join('/');
}

/** A last segment that stands for everything in the folder: `*`, `.*`, `**`, `?*`. */
const everythingPattern = /^\.?[*?]*\*[*?]*$|^\.?\[[^\]]*\]\*$/;

/** Drops `/*` and the like at the end: emptying a folder is as bad as removing it. */
function withoutEverything(path: string): string {
  let result = path;
  for (;;) {
    const slash = result.lastIndexOf('/');
    if (!everythingPattern.test(result.slice(slash + 1))) return result;
    if (slash <= 0) return slash === 0 ? '/' : '.';
    result = result.slice(0, slash);
  }
}

function holds(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

export function placeOf(path: string, scope: Scope): Place {
  const target = withoutEverything(normalise(path, scope.cwd));
  if (target === '/') return 'root';
  if (target.startsWith('/')) {
    const segments = target.slice(1).split('/');
    const first = segments[0] ?? '';
    if (segments.length === 1 && /[*?[]/.test(first)) return 'root';
    if (segments.length === 1 && systemFolders.has(first)) return 'system';
  }
  if (target === scope.home || homePattern.test(target)) return isKnown(target) ? 'home' : 'unknown';
  if (holds(target, scope.hermesHome)) return 'hermes';
  if (!isKnown(target)) return 'unknown';
  const temporary = /^\/(?:tmp|var\/tmp|private\/tmp)\/./.test(target);
  if (temporary && !holds(scope.home, target)) return 'temporary';
  return placeBelowStart(target, scope);
}

function placeBelowStart(target: string, scope: Scope): Place {
  const start = scope.startCwd;
  if (target === start) return 'cwd-itself';
  const inside = start === '.' ? !/^[/~]|^\.\.(?:\/|$)/.test(target) : holds(start, target);
  if (!inside) return 'outside';
  const relative = start === '.' ? target : target.slice(start === '/' ? 1 : start.length + 1);
  // A home or the root is no project: there only what tools rebuild by themselves is free to go.
  const project = start !== '/' && start !== scope.home && !homePattern.test(start);
  if (!project) return rebuildablePattern.test(relative) ? 'inside' : 'outside';
  return preciousPattern.test(relative) ? 'outside' : 'inside';
}

/** `/dev/sda` and its kind: writing there destroys file systems. */
export function isRawDisk(path: string): boolean {
  return /^\/dev\/(?:r?disk\d|[hsv]d[a-z*?[]|xvd[a-z*?[]|nvme\d|mmcblk\d|md\d|dm-|mapper\/|loop\d|mem$|kmem$|port$|disk\/|\*)/.test(
    path,
  );
}

const accountsPattern =
  /^\/(?:private\/)?etc\/(?:passwd|shadow|gshadow|group|sudoers)(?:-|$)|^\/(?:private\/)?etc\/sudoers\.d(?:\/|$)/;
const startUpFile =
  /\/\.(?:bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile|zlogin|kshrc|xprofile|xinitrc|config\/fish\/.*)$/;
const credentialFile = /\/\.(?:netrc|pgpass|npmrc|pypirc|git-credentials|vault-token)$|\/\.(?:aws|kube|gnupg|docker)\//;
const autostart = /\/\.config\/(?:autostart|systemd)\/|\/Library\/Launch(?:Agents|Daemons)\/|^\/var\/spool\/cron/;
const ownRecords = /^(?:secrets\.yaml|api-token|hermes\.db(?:-\w+)?|temporal\.db(?:-\w+)?)$/;
const systemTree = /^\/(?:etc|usr|bin|sbin|lib\w*|boot|System)(?:\/|$)/;

/** Where a path lies within some home folder, with its leading slash; null when in none. */
function insideHome(path: string, scope: Scope): string | null {
  for (const home of [scope.home, '~']) if (path.startsWith(`${home}/`)) return path.slice(home.length);
  return /^(?:\/root|\/(?:home|Users)\/[^/]+)(\/.*)$/.exec(path)?.[1] ?? null;
}

/** What writing to, replacing or removing this path means. `null`: nothing to say. */
export function findWrite(path: string, scope: Scope): Finding | null {
  const target = normalise(path, scope.cwd);
  if (accountsPattern.test(target)) return block(`changes ${target}, which holds the accounts of the system`);
  if (isRawDisk(target)) return block(`writes to the raw device ${target}`);
  if (/^\/dev\/(?:tcp|udp)\//.test(target)) return ask('/dev/tcp', 'opens a network connection from the shell');
  if (target === '/proc/sysrq-trigger') return block('triggers the kernel through /proc/sysrq-trigger');
  if (holds(scope.hermesHome, target)) {
    const name = target.slice(scope.hermesHome.length + 1);
    if (ownRecords.test(name)) return block(`changes ${name} of this program's own home`);
    return name.startsWith('runs/') ? null : ask('write hermes home', `changes this program's own folder (${name})`);
  }
  const inHome = insideHome(target, scope) ?? (target.startsWith('/') ? null : `/${target}`);
  if (inHome !== null) {
    if (/\/\.ssh(?:\/|$)/.test(inHome)) return ask('write ~/.ssh', `changes ${target}, which decides who may log in`);
    if (startUpFile.test(inHome)) return ask('write shell start-up', `changes ${target}, which every new shell runs`);
    if (credentialFile.test(inHome)) return ask('write credentials', `changes ${target}, which holds credentials`);
  }
  if (autostart.test(target)) return ask('write autostart', `changes ${target}, which starts programs by itself`);
  if (/(?:^|\/)\.git\/hooks\//.test(target))
    return ask('write git hook', `changes ${target}, which git runs by itself`);
  if (systemTree.test(target)) return ask('write system files', `changes ${target}, which belongs to the system`);
  return null;
}

const publicFile = /\.pub$|\/(?:known_hosts|authorized_keys|config)[^/]*$/;

/** What reading this path would give away. `null`: nothing to say. */
export function findRead(path: string, scope: Scope): Finding | null {
  const target = normalise(path, scope.cwd);
  if (/^\/etc\/(?:g?shadow|sudoers)(?:-|$)/.test(target)) return ask('read secrets', `reads ${target}`);
  if (
    holds(scope.hermesHome, target) &&
    /^(?:secrets\.yaml|api-token)$/.test(target.slice(scope.hermesHome.length + 1))
  ) {
    return ask('read secrets', `reads this program's own secrets (${target})`);
  }
  const inHome = insideHome(target, scope);
  if (inHome === null || publicFile.test(inHome)) return null;
  if (/^\/\.(?:ssh\/.|aws\/credentials|netrc$|git-credentials$|pgpass$|gnupg\/private)/.test(inHome)) {
    return ask('read secrets', `reads ${target}, which holds credentials`);
  }
  return null;
}

/** A path for people; unknown pieces shown as `…`. */
export function shown(path: string): string {
  return path.replaceAll(unknownPiece, '…');
}
