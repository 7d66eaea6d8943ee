/** Stands for the service in tests of its supervision: announces itself as the real one does, drains on SIGTERM. */
import { appendFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const home = process.env['HERMES_HOME'] ?? '';
const role = process.argv[process.argv.indexOf('--role') + 1] ?? '';
const run = (name: string): string => join(home, 'run', `${name}.json`);
const note = (text: string): void => appendFileSync(join(home, 'service-notes.txt'), `${role} ${text}\n`);
const files: string[] = [];
const announce = (name: string, value: object): void => {
  writeFileSync(run(name), JSON.stringify(value));
  files.push(run(name));
};

note('started');
if (existsSync(join(home, 'die-at-once'))) process.exit(3);

if (role !== 'gateway') announce('worker', { pid: process.pid });
if (role !== 'worker') {
  announce('gateway', { pid: process.pid });
  const server = createServer((request, response) => {
    // A hung service accepts connections and never answers.
    if (existsSync(join(home, 'hang'))) return;
    response.statusCode = request.url === '/health' ? 200 : 404;
    response.end('{}');
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object' && address !== null) announce('api', { url: `http://127.0.0.1:${address.port}` });
  });
} else {
  setInterval(() => undefined, 1_000);
}

process.on('SIGTERM', () => {
  note('drains');
  if (existsSync(join(home, 'never-drain'))) return;
  setTimeout(() => {
    for (const file of files) rmSync(file, { force: true });
    note('drained');
    process.exit(0);
  }, 200);
});
