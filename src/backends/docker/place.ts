import { PortError } from '../../lib/port-error.ts';
import type { EnvironmentHandle } from '../backend.ts';
import { shellQuote } from '../run-layout.ts';
import type { DockerClient } from './client.ts';
import type { Inspected } from './containers.ts';
import { runOnce } from './exec.ts';

/** Where things are in a container; absolute. */
export interface Place {
  readonly home: string;
  /** Where sessions start. */
  readonly cwd: string;
  /** Folder of the run protocol. */
  readonly root: string;
}

/**
 * Prints home, the folder to start in and a folder of ours, which the user of the container may be allowed to make only
 * in some places.
 */
function scriptFor(cwd: string | undefined): string {
  return `umask 077
home=\${HOME:-/}
cwd=${shellQuote(cwd ?? '')}
case $cwd in
  '') cwd=$PWD; [ "$cwd" != / ] || cwd=$home ;;
  '~') cwd=$home ;;
  '~/'*) cwd=\${home%/}/\${cwd#??} ;;
  /*) ;;
  *) cwd=\${home%/}/$cwd ;;
esac
mkdir -p "$cwd" || { echo "check terminal.cwd" >&2; exit 1; }
for root in /var/lib/hermes "\${home%/}/.hermes-runs" "/tmp/.hermes-$(id -u)"; do
  if mkdir -p "$root" 2>/dev/null && [ -w "$root" ]; then
    printf '%s\\n%s\\n%s\\n' "$home" "$cwd" "$root"
    exit 0
  fi
done
echo 'no folder to write to' >&2
exit 1`;
}

/** Looks inside a running container, which also proves that commands can run there; Terminal.Invalid when not. */
export async function findPlace(
  client: DockerClient,
  container: Inspected,
  startIn: string | undefined,
): Promise<Place> {
  const { exitCode, stdout, stderr } = await runOnce(client, container.Id, scriptFor(startIn));
  const [home = '', cwd = '', root = ''] = stdout.split('\n');
  if (exitCode === 0 && root !== '') return { home, cwd, root };
  const said = (stderr || stdout).trim().slice(0, 300) || `exit code ${String(exitCode)}`;
  if (/no space left on device/i.test(said)) throw new PortError('Terminal.Full', `Docker's disk is full: ${said}`);
  throw new PortError(
    'Terminal.Invalid',
    `No command can run in ${container.Config.Image}: ${said}. It needs a shell and a folder to write to; check terminal.docker.image and terminal.docker.user.`,
  );
}

export function placeOf({ state }: EnvironmentHandle): Place {
  const { root, home, cwd } = state as Partial<Record<string, string>>;
  if (root !== undefined && home !== undefined && cwd !== undefined) return { root, home, cwd };
  throw new PortError('Terminal.Invalid', 'The record of this environment is incomplete; create it again.');
}
