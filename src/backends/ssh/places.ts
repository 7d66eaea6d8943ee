import { PortError } from '../../lib/port-error.ts';
import type { RemoteShell, ShellResult } from '../remote-shell.ts';
import { shellQuote } from '../run-layout.ts';
import { destinationName, type Destination } from './destination.ts';
import { denied, unavailable } from './errors.ts';

/** What was found on the machine. */
export interface Survey {
  /** Absolute, links resolved. */
  readonly home: string;
  readonly user: string;
  /** `Linux x86_64`. */
  readonly system: string;
  /** Programs the run protocol needs and that are not there. */
  readonly missing: readonly string[];
}

/** One environment's folder there. */
export interface Place {
  /** Absolute, links resolved. */
  readonly folder: string;
  /** Tells this environment from another of the same name, on whatever machine. */
  readonly identity: string;
}

/** What the scripts of the run protocol and of remote files are made of, beside the shell's own words. */
const tools = 'base64 cat chmod cut date dd find grep head ln ls mkdir mkfifo mv ps rm rmdir sleep sort tail tr wc';

const surveyScript = `LC_ALL=C
export LC_ALL
cd || exit 1
printf 'home=%s\\n' "$(pwd -P)"
printf 'user=%s\\n' "$(id -un 2>/dev/null)"
printf 'system=%s\\n' "$(uname -sm 2>/dev/null)"
for tool in ${tools}; do command -v "$tool" >/dev/null 2>&1 || printf 'missing=%s\\n' "$tool"; done`;

export async function survey(shell: RemoteShell, destination: Destination): Promise<Survey> {
  const result = await shell.run(surveyScript);
  const found = valuesOf(result);
  const home = found.get('home')?.[0];
  if (result.exitCode !== 0 || home === undefined) throw denied(destination, 'has no home folder for this account.');
  return {
    home,
    user: found.get('user')?.[0] ?? destination.user,
    system: found.get('system')?.[0] ?? '',
    missing: found.get('missing') ?? [],
  };
}

const noWorkingFolder = 12;
const noPlace = 13;

/** Makes an environment's folder or finds it; of two callers at once, both find what the first has made. */
export async function makePlace(
  shell: RemoteShell,
  {
    destination,
    root,
    name,
    identity,
    cwd,
  }: { destination: Destination } & Record<'root' | 'name' | 'identity' | 'cwd', string>,
): Promise<Place> {
  const script = `LC_ALL=C
export LC_ALL
umask 077
folder=${shellQuote(`${root}/${name}`)}
[ -d ${shellQuote(cwd)} ] || exit ${noWorkingFolder}
# Once more where another environment that goes takes the empty root away in between.
mkdir -p "$folder" 2>/dev/null || mkdir -p "$folder" || exit 1
cd "$folder" || exit 1
if [ ! -e identity ]; then
  # Through cat, which says why it cannot write; the shell's own printf does not.
  printf '%s\\n' ${shellQuote(identity)} | cat >"identity.$$" || { rm -f "identity.$$"; exit 1; }
  ln "identity.$$" identity 2>/dev/null
  rm -f "identity.$$"
fi
printf 'identity=%s\\n' "$(cat identity)"
printf 'folder=%s\\n' "$(pwd -P)"`;
  const result = await shell.run(script);
  if (result.exitCode === noWorkingFolder) {
    const message = `There is no directory ${cwd} on ${destinationName(destination)}: see terminal.cwd.`;
    throw new PortError('Terminal.NotFound', message, { details: { path: cwd } });
  }
  const place = placeOf(result);
  if (place) return place;
  throw folderError(result, destination, root);
}

/** Null where there is none. */
export async function findPlace(
  shell: RemoteShell,
  { destination, root, name }: { destination: Destination; root: string; name: string },
): Promise<Place | null> {
  const result = await shell.run(`cd ${shellQuote(`${root}/${name}`)} 2>/dev/null || exit ${noPlace}
[ -e identity ] || exit ${noPlace}
printf 'identity=%s\\n' "$(cat identity)"
printf 'folder=%s\\n' "$(pwd -P)"`);
  if (result.exitCode === noPlace) return null;
  const place = placeOf(result);
  if (place) return place;
  throw folderError(result, destination, root);
}

/** Removes an environment's folder, and the root when nothing else is in it and `withRoot` says so. Idempotent. */
export async function removePlace(
  shell: RemoteShell,
  { destination, root, name, withRoot }: { destination: Destination; root: string; name: string; withRoot: boolean },
): Promise<void> {
  const folder = shellQuote(`${root}/${name}`);
  const result = await shell.run(`LC_ALL=C
export LC_ALL
cd / || exit 1
# A process that is just ending may still put a file there.
rm -rf ${folder} 2>/dev/null || { sleep 1; rm -rf ${folder}; } || exit 1
${withRoot ? `rmdir ${shellQuote(root)} 2>/dev/null` : ''}
exit 0`);
  if (result.exitCode !== 0) throw folderError(result, destination, root);
}

/** Environments of ours that were made more than `olderThanMs` ago. */
export async function listPlaces(
  shell: RemoteShell,
  { root, prefix, olderThanMs }: { root: string; prefix: string; olderThanMs: number },
): Promise<readonly (Place & { readonly name: string })[]> {
  const minutes = Math.ceil(olderThanMs / 60_000);
  const result = await shell.run(`cd ${shellQuote(root)} 2>/dev/null || exit 0
for name in ${shellQuote(prefix)}*; do
  [ -n "$(find "$name/identity" -mmin +${minutes} 2>/dev/null)" ] || continue
  printf 'place=%s %s %s\n' "$name" "$(cat "$name/identity")" "$(cd "$name" && pwd -P)"
done`);
  return (valuesOf(result).get('place') ?? []).flatMap((text) => {
    const [name, identity, ...folder] = text.split(' ');
    return name && identity && folder.length > 0 ? [{ name, identity, folder: folder.join(' ') }] : [];
  });
}

export async function hasRuns(shell: RemoteShell, { folder }: Place): Promise<boolean> {
  const { stdout } = await shell.run(`ls -A ${shellQuote(`${folder}/runs`)} 2>/dev/null | head -n 1`);
  return stdout.length > 0;
}

function placeOf(result: ShellResult): Place | null {
  const found = valuesOf(result);
  const [folder, identity] = [found.get('folder')?.[0], found.get('identity')?.[0]];
  return result.exitCode === 0 && folder !== undefined && identity ? { folder, identity } : null;
}

function valuesOf({ stdout }: ShellResult): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const line of stdout.toString('utf8').split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) values.set(line.slice(0, at), [...(values.get(line.slice(0, at)) ?? []), line.slice(at + 1)]);
  }
  return values;
}

function folderError({ stderr, exitCode }: ShellResult, destination: Destination, root: string): PortError {
  const said = stderr.trim().slice(-300);
  const where = `${root} on ${destinationName(destination)}`;
  const details = { host: destination.host, path: root };
  if (/no space|quota/i.test(said)) {
    return new PortError('Terminal.Full', `The disk is full: ${where}. ${said}`, { details });
  }
  if (/permission denied|read-only|not permitted/i.test(said)) {
    return new PortError('Terminal.Denied', `No right to use ${where}. ${said}`, { details });
  }
  return unavailable(destination, `the folder ${root} cannot be used (exit code ${exitCode}): ${said}`);
}
