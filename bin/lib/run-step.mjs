import { spawn } from 'node:child_process';

/** A step of set-up that did not work: what is wrong, what to do, and what the tool said. */
export class SetUpFailure extends Error {
  constructor(message, hint, output = '') {
    super(message);
    this.hint = hint;
    this.output = output;
  }
}

/**
 * Runs a program of node's to its end. Its output is kept, and shown only when it fails; lines on standard error that
 * `onLine` wants are told at once. Its process group ends with this process.
 */
export function runTool(program, args, { cwd, env, onLine } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const end = () => child.kill('SIGTERM');
    process.once('exit', end);
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-100_000);
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      keep(chunk);
      if (onLine) for (const line of chunk.split('\n')) if (line.trim() !== '') onLine(line);
    });
    child.once('error', (error) => {
      process.off('exit', end);
      reject(new SetUpFailure(`${program} cannot be run: ${error.message}`, 'Is it installed?'));
    });
    child.once('close', (code, signal) => {
      process.off('exit', end);
      resolve({ code: code ?? 1, signal, output });
    });
  });
}
