import { createHash } from 'node:crypto';
import { PortError } from '../../lib/port-error.ts';
import { safeName } from '../run-layout.ts';

/** Settings of the daytona backend, `terminal.daytona.*`. */
export interface DaytonaBackendOptions {
  /** Twelve lower-case hex digits, one per home folder; part of every name, so that two installations never meet. */
  readonly installationId: string;
  /** Secret. Without it every call fails with Terminal.Authentication. */
  readonly apiKey?: string;
  /** Daytona's own where not given. */
  readonly apiUrl?: string;
  /** Region of new sandboxes; the organization's usual one where not given. */
  readonly target?: string;
  /** Image of new sandboxes; `debian:bookworm-slim` where neither this nor `snapshot` is given. */
  readonly image?: string;
  /** Daytona snapshot to make new sandboxes from, instead of an image. */
  readonly snapshot?: string;
  /** For sandboxes made from an image; what Daytona gives where not given. A snapshot brings its own. */
  readonly cpus?: number;
  readonly memoryGb?: number;
  readonly diskGb?: number;
  /** Daytona itself stops a sandbox after this long without use; 60 where not given, 0: never. */
  readonly autoStopMinutes?: number;
  /** A stopped one is archived after this long; 7 where not given, 0: as late as Daytona allows. */
  readonly archiveAfterDays?: number;
  /** Where commands start, absolute; the home folder there where not given. */
  readonly cwd?: string;
  /** How long a wake or a creation may take; 600,000 where not given (an archived sandbox may take minutes). */
  readonly changeTimeoutMs?: number;
}

/** The options with every default filled in. */
export interface DaytonaSettings extends Omit<DaytonaBackendOptions, 'image'> {
  readonly apiUrl: string;
  /** Undefined where a snapshot is used. */
  readonly image: string | undefined;
  readonly autoStopMinutes: number;
  readonly archiveAfterDays: number;
  readonly changeTimeoutMs: number;
}

export const labels = { installation: 'hermes.installation', environment: 'hermes.environment' } as const;

/** Fills in the defaults. Throws Terminal.Invalid where settings contradict each other. */
export function daytonaSettings(options: DaytonaBackendOptions): DaytonaSettings {
  const sized = options.cpus !== undefined || options.memoryGb !== undefined || options.diskGb !== undefined;
  if (options.snapshot !== undefined && sized) {
    throw new PortError(
      'Terminal.Invalid',
      'A Daytona snapshot brings its own size: unset terminal.daytona.cpus, memoryGb and diskGb, or terminal.daytona.snapshot.',
    );
  }
  return {
    ...options,
    apiUrl: (options.apiUrl ?? 'https://app.daytona.io/api').replace(/\/+$/, ''),
    image: options.snapshot === undefined ? (options.image ?? 'debian:bookworm-slim') : undefined,
    autoStopMinutes: options.autoStopMinutes ?? 60,
    archiveAfterDays: options.archiveAfterDays ?? 7,
    changeTimeoutMs: options.changeTimeoutMs ?? 600_000,
  };
}

/** The sandbox's name, unique in the organization: making it twice meets a conflict. */
export function sandboxName(installationId: string, environmentId: string): string {
  const name = `hermes-${installationId}-${safeName(environmentId)}`;
  // Names end up in host names, where a label has at most 63 characters.
  if (name.length <= 63 && /^[a-z0-9-]+$/.test(name)) return name;
  const digest = createHash('sha256').update(environmentId).digest('hex').slice(0, 16);
  const readable = environmentId
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 20)
    .replace(/^-+|-+$/g, '');
  return `hermes-${installationId}-${readable}-${digest}`;
}
