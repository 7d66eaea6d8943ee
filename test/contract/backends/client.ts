import { pathToFileURL } from 'node:url';
import type { Backend, RunSpec } from '../../../src/backends/backend.ts';

/**
 * A process of its own that uses a backend: says `ready`, starts the run when told to on standard input, says
 * `started`, and stays until it is killed. Arguments: module with `openBackend(config)`, config, environment id, spec.
 */
export interface ClientModule {
  readonly openBackend: (config: string) => Promise<Backend>;
}

const [modulePath = '', config = '', environmentId = '', spec = ''] = process.argv.slice(2);
const { openBackend } = (await import(pathToFileURL(modulePath).href)) as ClientModule;
const backend = await openBackend(config);
const session = await backend.connect(await backend.create(environmentId));
process.stdin.once('data', () => {
  void session.start(JSON.parse(spec) as RunSpec).then(() => process.stdout.write('started\n'));
});
process.stdout.write('ready\n');
