import type { Daytona, Resources, Sandbox } from '@daytona/sdk';
import { PortError } from '../../lib/port-error.ts';
import { daytonaError, statusOf, type Asked } from './errors.ts';
import { labels, type DaytonaSettings } from './options.ts';

/** Longest wait for an answer of the API that is no command; the SDK's own limit is a day. */
const requestTimeoutMs = 60_000;

/** The SDK, loaded at the first call (0.7 s, 50 MB) and closed with nothing left open. */
export interface DaytonaClient {
  /** By id or name; null when there is none. */
  find(idOrName: string): Promise<Sandbox | null>;
  create(name: string, environmentId: string, onLog: (line: string) => void): Promise<Sandbox>;
  /** Ours only. */
  list(): Promise<Sandbox[]>;
  /** Whether the key is good and the snapshot there; resolves with the number of sandboxes seen. */
  probe(): Promise<void>;
  /** Runs a call of the SDK; rejects with a PortError. */
  ask<T>(asked: Asked, work: () => Promise<T>): Promise<T>;
}

export function createDaytonaClient(settings: DaytonaSettings): DaytonaClient {
  let loading: Promise<Daytona> | undefined;
  const sdk = () => (loading ??= loadSdk(settings));

  const ask = async <T>(asked: Asked, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw daytonaError(error, asked, settings.apiUrl);
    }
  };

  return {
    ask,
    find: (idOrName) =>
      ask('control', async () => {
        try {
          return await (await sdk()).get(idOrName);
        } catch (error) {
          if (statusOf(error) === 404) return null;
          throw error;
        }
      }),
    create: (name, environmentId, onLog) =>
      ask('control', async () => {
        const daytona = await sdk();
        try {
          // The SDK waits with it; when that takes too long the sandbox is found by its name.
          const timeout = settings.changeTimeoutMs / 1000;
          const common = creation(settings, name, environmentId);
          const { image, snapshot } = settings;
          return image === undefined
            ? await daytona.create(snapshot === undefined ? common : { ...common, snapshot }, { timeout })
            : await daytona.create({ ...common, image, ...sizeOf(settings) }, { timeout, onSnapshotCreateLogs: onLog });
        } catch (error) {
          if (isMissing(error)) throw sourceMissing(settings);
          throw error;
        }
      }),
    list: () =>
      ask('control', async () => {
        const found: Sandbox[] = [];
        const query = { labels: { [labels.installation]: settings.installationId } };
        for await (const sandbox of (await sdk()).list(query)) found.push(sandbox);
        return found;
      }),
    probe: () =>
      ask('control', async () => {
        const daytona = await sdk();
        const pages = daytona.list({ limit: 1, labels: { [labels.installation]: settings.installationId } });
        await pages.next();
        if (settings.snapshot === undefined) return;
        try {
          await daytona.snapshot.get(settings.snapshot);
        } catch (error) {
          if (statusOf(error) === 404) throw sourceMissing(settings);
          throw error;
        }
      }),
  };
}

async function loadSdk(settings: DaytonaSettings): Promise<Daytona> {
  if (settings.apiKey === undefined || settings.apiKey === '') {
    throw new PortError(
      'Terminal.Authentication',
      'There is no API key for Daytona: make one on its dashboard and set terminal.daytona.apiKey.',
    );
  }
  const { Daytona } = await import('@daytona/sdk');
  return new Daytona({
    apiKey: settings.apiKey,
    apiUrl: settings.apiUrl,
    ...(settings.target === undefined ? {} : { target: settings.target }),
    // Else it keeps a socket.io connection for as long as it lives.
    useDeprecatedPolling: true,
    otelEnabled: false,
    requestTimeoutMs,
  });
}

/** A snapshot that is not there is said with 400 or 404. */
function isMissing(error: unknown): boolean {
  const status = statusOf(error);
  return status === 404 || (status === 400 && error instanceof Error && /not found/i.test(error.message));
}

function sourceMissing({ snapshot, image }: DaytonaSettings): PortError {
  return new PortError(
    'Terminal.NotFound',
    snapshot === undefined
      ? `Daytona finds no image ${image ?? ''} (terminal.daytona.image).`
      : `There is no Daytona snapshot named ${snapshot} (terminal.daytona.snapshot).`,
  );
}

function creation(settings: DaytonaSettings, name: string, environmentId: string) {
  return {
    name,
    labels: { [labels.installation]: settings.installationId, [labels.environment]: environmentId },
    autoStopInterval: settings.autoStopMinutes,
    autoArchiveInterval: settings.archiveAfterDays * 24 * 60,
    // What somebody left alone for months is still theirs.
    autoDeleteInterval: -1,
  };
}

function sizeOf({ cpus, memoryGb, diskGb }: DaytonaSettings): { resources?: Resources } {
  const resources = {
    ...(cpus === undefined ? {} : { cpu: cpus }),
    ...(memoryGb === undefined ? {} : { memory: memoryGb }),
    ...(diskGb === undefined ? {} : { disk: diskGb }),
  };
  return Object.keys(resources).length === 0 ? {} : { resources };
}
