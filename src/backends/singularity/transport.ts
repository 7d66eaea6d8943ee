import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { PassThrough } from 'node:stream';
import type { ShellProcess, ShellTransport } from '../remote-shell.ts';
import { programError } from './errors.ts';
import type { Program } from './program.ts';

const errorChars = 4_096;
/** Said inside before anything else, so that a failure to get in is never taken for one of the command. */
const inside = '__h_inside\n';
/** A process that was let go of and does not leave is ended. */
const leaveMs = 2_000;
const enterMs = 20_000;

export interface TransportOptions {
  readonly program: Program;
  /** Everything before the program to run: `exec … instance://name`. */
  readonly entry: readonly string[];
  /** HOME inside. */
  readonly home: string;
}

export interface InstanceTransport extends ShellTransport {
  /** Whether a process of ours is in the instance right now: then it runs, and nobody has to ask. */
  connected(): boolean;
}

/** Processes in an instance, each over an `exec` of the program. */
export function createTransport({ program, entry, home }: TransportOptions): InstanceTransport {
  const living = new Set<ShellProcess>();
  const script = 'printf "%s\\n" __h_inside; exec sh -c "$1"';
  return {
    open: async (command) => {
      const process = await opened(await program.start([...entry, ...insideCommand(home, script, command)]));
      living.add(process);
      void process.ended.then(() => living.delete(process));
      return process;
    },
    connected: () => living.size > 0,
  };
}

/** Words that run `script` inside with our own HOME and without what the program adds for people at a prompt. */
export function insideCommand(home: string, script: string, ...args: readonly string[]): string[] {
  const prepare = 'HOME=$1; shift; export HOME; unset PROMPT_COMMAND PS1; cd "$HOME" 2>/dev/null || cd /';
  return ['sh', '-c', `${prepare}; ${script}`, 'sh', home, ...args];
}

function opened(child: ChildProcessWithoutNullStreams): Promise<ShellProcess> {
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-errorChars)));
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.once('error', () => resolve(null));
  });
  const output = new PassThrough();
  const process: ShellProcess = {
    input: child.stdin,
    output,
    errors: () => errors,
    ended,
    destroy: () => {
      child.stdin.destroy();
      child.stdout.destroy();
      output.destroy();
      const timer = setTimeout(() => child.kill('SIGKILL'), leaveMs);
      timer.unref();
      void ended.then(() => {
        clearTimeout(timer);
      });
    },
  };
  return new Promise((resolve, reject) => {
    let said = Buffer.alloc(0);
    const late = setTimeout(() => child.kill('SIGKILL'), enterMs);
    const onData = (piece: Buffer) => {
      said = Buffer.concat([said, piece]);
      if (said.length < inside.length) return;
      clearTimeout(late);
      child.stdout.off('data', onData);
      output.write(said.subarray(inside.length));
      child.stdout.pipe(output);
      resolve(process);
    };
    child.stdout.on('data', onData);
    // At `close` everything it said is here.
    child.once('close', () => {
      clearTimeout(late);
      reject(programError(errors, 'The instance could not be entered'));
    });
    child.once('error', (error) => reject(programError(error.message, 'The program could not be started')));
  });
}
