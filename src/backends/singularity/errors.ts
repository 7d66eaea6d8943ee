import type { FailureType } from '../../contracts/failure-types.ts';
import { PortError } from '../../lib/port-error.ts';

interface Meaning {
  readonly says: RegExp;
  readonly code: FailureType;
  readonly advice: string;
  /** Of the code's own default where not given. */
  readonly retryable?: boolean;
}

/** What the program's own words mean and what to do then; the first that fits counts. */
const meanings: readonly Meaning[] = [
  {
    says: /no instance found/i,
    code: 'Terminal.Asleep',
    advice: 'The instance is not running; it has to be woken first.',
  },
  {
    says: /no space left on device|disk quota exceeded/i,
    code: 'Terminal.Full',
    advice: 'The disk is full. Free space where the home folder is.',
  },
  {
    says: /mksquashfs|unsquashfs.*not found|squashfs-tools/i,
    code: 'Terminal.BackendUnavailable',
    retryable: false,
    advice: 'Install squashfs-tools, or set terminal.singularity.image to a folder.',
  },
  {
    says: /unauthorized|authentication required|access to the resource is denied|requested access .* denied|\b40[13]\b.*(token|registry|forbidden)/i,
    code: 'Terminal.Authentication',
    advice:
      'The registry wants a log-in: `apptainer registry login`, or another terminal.singularity.image. A name that does not exist looks the same.',
  },
  {
    says: /manifest unknown|name unknown|repository .* not found|status code 404|: not found: /i,
    code: 'Terminal.NotFound',
    advice: 'The registry has no such image; check terminal.singularity.image.',
  },
  {
    says: /dial tcp|no such host|connection refused|i\/o timeout|tls handshake|network is unreachable|unexpected EOF/i,
    code: 'Terminal.BackendUnavailable',
    advice: 'The registry cannot be reached.',
  },
  {
    says: /image format not recognized|not a valid image|unknown image format|could not open image.*(format|magic)|invalid tar header|archive\/tar|not a directory or|no suitable.*image|could not be determined/i,
    code: 'Terminal.Invalid',
    advice: 'It is not an image; check terminal.singularity.image.',
  },
  {
    says: /could not open image .*no such file|lstat .*no such file|unable to stat|file not found/i,
    code: 'Terminal.NotFound',
    advice: 'The image is not there; check terminal.singularity.image.',
  },
  {
    says: /(create|creating|requires?|no) (new )?user namespace|max_user_namespaces|setuid.*(installation|required|not)|starter-suid|uid_map|newuidmap|clone.*operation not permitted/i,
    code: 'Terminal.BackendUnavailable',
    retryable: false,
    advice:
      'This account may not make containers. Allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns=0) or install apptainer-suid.',
  },
  {
    says: /overlay.*(not supported|not allowed|read-only|operation not permitted|invalid argument|permission denied)|fuse-overlayfs/i,
    code: 'Terminal.BackendUnavailable',
    retryable: false,
    advice:
      'Overlays do not work here: the home folder must be on a local file system, and `enable overlay` in apptainer.conf; older kernels need fuse-overlayfs.',
  },
  {
    says: /while (parsing|processing) bind|mount source .* doesn't exist|unable to add .* to mount list/i,
    code: 'Terminal.NotFound',
    advice: 'A folder of terminal.singularity.mounts is not there.',
  },
  {
    says: /cgroup/i,
    code: 'Terminal.BackendUnavailable',
    retryable: false,
    advice: 'Limits cannot be set here.',
  },
  {
    says: /permission denied/i,
    code: 'Terminal.Denied',
    advice: 'Permission was denied.',
  },
];

/** The port's error for what the program said on standard error. Its own last words stay in the message. */
export function programError(stderr: string, what: string): PortError {
  const words = lastWords(stderr);
  // Further lines may say more, and also what went wrong while it tidied up after the failure.
  const meaning =
    meanings.find(({ says }) => says.test(words)) ??
    meanings.find(({ says, code }) => code !== 'Terminal.Asleep' && says.test(stderr));
  if (!meaning) return new PortError('Terminal.BackendUnavailable', `${what}. ${words}`.trim());
  const { code, advice, retryable } = meaning;
  return new PortError(code, `${advice} (${words})`, retryable === undefined ? {} : { retryable });
}

/** The line that says why, without its level: later lines only tell how far up the failure went. */
export function lastWords(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  // What is said as an error before a fatal one is often about tidying up after it.
  const line =
    lines.find((text) => text.startsWith('FATAL')) ??
    lines.find((text) => text.startsWith('ERROR')) ??
    lines.filter((text) => text !== '' && !text.startsWith('WARNING')).at(-1) ??
    'no reason given';
  return line.replace(/^(FATAL|ERROR|INFO)\s*:\s*/, '').slice(0, 400);
}
