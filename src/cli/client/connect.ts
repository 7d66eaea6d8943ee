import { HermesClient } from './client.ts';
import { ServiceLink, type EnsureService, type LinkOptions } from './link.ts';

/** Loaded only when there is no service to talk to. */
const startService: EnsureService = async (options) => {
  const { ensureService } = await import('../service/ensure-service.ts');
  await ensureService(options);
};

/** A client of the home folder's service. */
export function connectWith(options: Omit<LinkOptions, 'ensureService'>): HermesClient {
  return new HermesClient(new ServiceLink({ ...options, ensureService: startService }));
}

/** A client whose outages are told on `stderr`. */
export function connect(home: string, stderr: { write(text: string): unknown }): HermesClient {
  const say = (line: string): void => {
    stderr.write(`${line}\n`);
  };
  return connectWith({
    home,
    report: say,
    onOutage: (state) => {
      say(
        state === 'away'
          ? 'hermes: the service is away; waiting for it. Nothing is lost. (`hermes up` starts it if it was stopped.)'
          : 'hermes: the service is back.',
      );
    },
  });
}
