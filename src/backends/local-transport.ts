import { spawn } from 'node:child_process';
import { PortError } from '../lib/port-error.ts';
import type { ShellProcess, ShellTransport } from './remote-shell.ts';

const errorsLimit = 4_096;

/** Processes of this machine, started through a program: `[...prefix, '/bin/sh', '-c', command]`. */
export function createLocalTransport(
  prefix: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): ShellTransport {
  const [file, ...before] = prefix;
  return { open: (command) => start(file, [...before, '/bin/sh', '-c', command], env) };
}

function start(file: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<ShellProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env, cwd: '/' });
    let errors = '';
    child.stderr.on('data', (bytes: Buffer) => {
      errors = (errors + bytes.toString()).slice(-errorsLimit);
    });
    // A process that has ended takes no more input; `ended` says so.
    child.stdin.on('error', () => undefined);
    const ended = new Promise<number | null>((settle) => {
      child.once('close', (code) => {
        settle(code);
      });
    });
    child.once('error', (error) => {
      reject(new PortError('Terminal.BackendUnavailable', `${file} cannot be started: ${error.message}`));
    });
    child.once('spawn', () => {
      resolve({
        input: child.stdin,
        output: child.stdout,
        errors: () => errors,
        ended,
        destroy: () => {
          child.kill('SIGKILL');
          child.stdin.destroy();
          child.stdout.destroy();
          child.stderr.destroy();
        },
      });
    });
  });
}
