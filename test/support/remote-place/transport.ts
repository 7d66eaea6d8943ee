import { spawn } from 'node:child_process';
import { PortError } from '../../../src/lib/port-error.ts';
import type { ShellProcess, ShellTransport } from '../../../src/backends/remote-shell.ts';

export interface PlaceOptions {
  /** Program and first arguments of its sh: `['/bin/sh']`, `['/bin/busybox', 'sh']`. */
  readonly sh: readonly string[];
  /** The whole environment there. */
  readonly env: Readonly<Record<string, string>>;
}

/** Processes of this machine under an environment of their own, as a transport to somewhere else would start them. */
export function createPlaceTransport({ sh, env }: PlaceOptions): ShellTransport & { readonly pids: readonly number[] } {
  const pids: number[] = [];
  return {
    pids,
    async open(command): Promise<ShellProcess> {
      const [program = '', ...first] = sh;
      const child = spawn(program, [...first, '-c', command], { env, cwd: '/', stdio: 'pipe' });
      let errors = '';
      child.stderr.on('data', (bytes: Buffer) => (errors = (errors + bytes.toString()).slice(-4_096)));
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', (cause) => {
          reject(new PortError('Terminal.BackendUnavailable', `Cannot start ${program}.`, { cause }));
        });
      });
      pids.push(child.pid ?? 0);
      return {
        input: child.stdin,
        output: child.stdout,
        errors: () => errors,
        ended: new Promise((resolve) => child.once('exit', resolve)),
        destroy: () => {
          child.stdin.destroy();
          child.stdout.destroy();
          child.stderr.destroy();
        },
      };
    },
  };
}
