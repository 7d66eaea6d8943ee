import { hasLong, hasShort, operands, type Call } from './options.ts';
import { findWrite, isRawDisk, normalise, placeOf, shown } from './paths.ts';
import { ask, block, type Finding } from './verdict.ts';

function present(findings: readonly (Finding | null)[]): Finding[] {
  return findings.filter((finding) => finding !== null);
}

/** Removing a folder with everything in it. */
function findRemoval(path: string, call: Call): Finding | null {
  switch (placeOf(path, call.scope)) {
    case 'root':
    case 'system':
      return block(`removes ${shown(path)}, which the system needs`);
    case 'home':
      return block(`removes the whole home folder ${shown(path)}`);
    case 'hermes':
      return block(`removes this program's own home (${shown(path)})`);
    case 'cwd-itself':
      return ask('rm -r', 'removes the whole working directory');
    case 'outside':
      return ask('rm -r', `removes ${shown(path)} with everything in it, outside the working directory`);
    case 'unknown':
      return ask('rm -r', `removes ${shown(path)} with everything in it; the path is only known when it runs`);
    case 'inside':
    case 'temporary':
      return findWrite(path, call.scope);
  }
}

function remove(call: Call): Finding[] {
  const paths = operands(call.args);
  const recursive = hasShort(call.args, 'rR') || hasLong(call.args, 'recursive');
  return present(
    paths.map((path) => {
      if (recursive) return findRemoval(path, call);
      const place = placeOf(path, call.scope);
      // Without -r folders stay, but every file of the folder goes.
      if (/[*?[]/.test(path) && (place === 'root' || place === 'home' || place === 'system')) {
        return ask('rm *', `removes every file of ${shown(path)}`);
      }
      return findWrite(path, call.scope);
    }),
  );
}

function changeRights(call: Call): Finding[] {
  const recursive = hasShort(call.args, 'R') || hasLong(call.args, 'recursive');
  const paths = operands(call.args);
  const findings = paths.slice(1).map((path) => {
    if (!recursive)
      return /^\/etc\/|\/\.ssh(?:\/|$)/.test(path) && call.name === 'chown' ? findWrite(path, call.scope) : null;
    const place = placeOf(path, call.scope);
    if (place === 'root' || place === 'system') return block(`changes owner or rights of everything in ${shown(path)}`);
    if (place === 'home' || place === 'hermes') return ask(`${call.name} -R`, `changes everything in ${shown(path)}`);
    return place === 'outside' || place === 'unknown'
      ? ask(`${call.name} -R`, `changes everything in ${shown(path)}`)
      : null;
  });
  const open = /^0?[0-7]?777$|^(?:a|ugo)?[+=]rwx$/.test(paths[0] ?? '');
  if (call.name === 'chmod' && recursive && open)
    findings.push(ask('chmod -R 777', 'lets everybody change these files'));
  if (call.name === 'chmod' && /[ugoa]*\+\w*s|^[4267]\d{3}$/.test(paths[0] ?? '')) {
    findings.push(ask('chmod +s', "lets a program run with its owner's rights"));
  }
  return present(findings);
}

function move(call: Call): Finding[] {
  const paths = operands(call.args);
  const sources = paths.slice(0, -1).map((path) => {
    const place = placeOf(path, call.scope);
    if (place === 'root' || place === 'system' || place === 'home' || place === 'hermes') {
      return block(`moves ${shown(path)} away`);
    }
    return findWrite(path, call.scope);
  });
  return present([...sources, ...writeLast(call)]);
}

function writeLast(call: Call): Finding[] {
  const directory = call.args.findIndex((arg) => arg === '-t' || arg === '--target-directory');
  const glued = call.args.find((arg) => arg.startsWith('--target-directory='))?.slice(19);
  const paths = operands(call.args);
  const target = glued ?? (directory >= 0 ? call.args[directory + 1] : paths.at(-1));
  if (target === undefined || (paths.length < 2 && glued === undefined && directory < 0)) return [];
  const inFolder = paths.slice(0, -1).map((path) => `${target}/${path.slice(path.lastIndexOf('/') + 1)}`);
  const folder = /\/$|\/\.ssh$|\/etc$|^~?$/.test(target) || placeOf(target, call.scope) === 'system';
  return present((folder ? inFolder : [target]).map((path) => findWrite(path, call.scope)));
}

function writeAll(call: Call): Finding[] {
  return present(operands(call.args).map((path) => findWrite(path, call.scope)));
}

/** `sed -i`, `perl -i`: every operand may be the file. */
function editInPlace(call: Call): Finding[] {
  return hasShort(call.args, 'i') || hasLong(call.args, 'in-place') ? writeAll(call) : [];
}

function copyDisk(call: Call): Finding[] {
  const target = call.args.find((arg) => arg.startsWith('of='))?.slice(3);
  return target === undefined ? [] : present([findWrite(target, call.scope)]);
}

function formatDisk(call: Call): Finding[] {
  return operands(call.args).length === 0 ? [] : [block('makes a new file system, which destroys what the disk holds')];
}

function editDisk(call: Call): Finding[] {
  const disk = call.args.some((arg) => isRawDisk(normalise(arg, call.scope.cwd)));
  if (!disk || hasShort(call.args, 'l') || hasLong(call.args, 'list', 'no-act')) return [];
  return /^(?:wipefs|blkdiscard|sgdisk|shred|badblocks|cryptsetup|pvremove|vgremove|hdparm)$/.test(call.name)
    ? [block('destroys what a disk holds')]
    : [ask(call.name, 'changes the partitions of a disk')];
}

const filters = /^-(?:i?name|i?path|i?regex|[acm]time|[acm]min|size|newer\w*|empty|perm|user|group)$/;

function find(call: Call): Finding[] {
  if (!call.args.includes('-delete')) return [];
  const first = call.args.findIndex((arg) => /^[-(!]/.test(arg));
  const starts = call.args.slice(0, first);
  const filtered = call.args.some((arg) => filters.test(arg));
  return present(
    (starts.length > 0 ? starts : ['.']).map((start) => {
      if (!filtered) return findRemoval(start, call);
      const place = placeOf(start, call.scope);
      return place === 'inside' || place === 'temporary' || place === 'cwd-itself'
        ? null
        : ask('find -delete', `removes whatever is found below ${shown(start)}`);
    }),
  );
}

function sync(call: Call): Finding[] {
  if (!call.args.some((arg) => arg.startsWith('--del'))) return writeLast(call);
  const target = operands(call.args).at(-1) ?? '.';
  return [...present([findRemoval(target, call)]), ask('rsync --delete', `removes what is only in ${shown(target)}`)];
}

/** `tar x -C DIR`: what an archive brings is not known, where it lands is. */
function extract(call: Call): Finding[] {
  const index = call.args.findIndex((arg) => arg === '-C' || arg === '--directory');
  const folder = index >= 0 ? call.args[index + 1] : call.args.find((arg) => arg.startsWith('--directory='))?.slice(12);
  const extracts = hasShort(call.args, 'x') || hasLong(call.args, 'extract') || /^[a-z]*x/.test(call.args[0] ?? '');
  if (!extracts || folder === undefined) return [];
  const place = placeOf(folder, call.scope);
  return place === 'root'
    ? [ask('write system files', 'unpacks an archive over the root')]
    : present([findWrite(`${folder}/file`, call.scope)]);
}

function shred(call: Call): Finding[] {
  const disks = editDisk(call);
  return disks.length > 0 ? disks : [ask('shred', 'destroys files beyond recovery'), ...writeAll(call)];
}

export const fileRules: Readonly<Record<string, (call: Call) => Finding[]>> = {
  rm: remove,
  unlink: remove,
  rmdir: remove,
  trash: remove,
  rimraf: (call) => present(operands(call.args).map((path) => findRemoval(path, call))),
  chmod: changeRights,
  chown: changeRights,
  chgrp: changeRights,
  mv: move,
  cp: writeLast,
  install: writeLast,
  ln: writeLast,
  rsync: sync,
  tar: extract,
  tee: writeAll,
  truncate: writeAll,
  touch: writeAll,
  sed: editInPlace,
  perl: editInPlace,
  dd: copyDisk,
  find,
  shred,
  mke2fs: formatDisk,
  mkswap: formatDisk,
  newfs: formatDisk,
  wipefs: editDisk,
  blkdiscard: editDisk,
  sgdisk: editDisk,
  fdisk: editDisk,
  sfdisk: editDisk,
  gdisk: editDisk,
  parted: editDisk,
  badblocks: editDisk,
  cryptsetup: editDisk,
  hdparm: editDisk,
};

/** `mkfs`, `mkfs.ext4` … */
export const makeFileSystem = formatDisk;
