import { HermesClient } from './client.ts';
import { ServiceLink, type EnsureService } from './link.ts';

/** Loaded only when there is no service to talk to. */
const startService: EnsureService = async (options) => {
  const { ensureService } = await import('../service/ensure-service.ts');
  await ensureService(options);
};

/** A client of the home folder's service whose outages are told on `stderr`. */
export function connect(home: string, stderr: { write(text: string): unknown }): HermesClient {
  const say = (line: string): void => void stderr.write(`${line}\n`);
  const link = new ServiceLink({
    home,
    ensureService: startService,
    report: say,
    onOutage: (state) => {
      say(
        state === 'away'
          ? 'hermes: the service is away; waiting for it. Nothing is lost. (`hermes up` starts it if it was stopped.)'
          : 'hermes: the service is back.',
      );
    },
  });
  return new HermesClient(link);
}
