import type { Sandbox } from '@daytona/sdk';
import { PortError } from '../../lib/port-error.ts';
import type { RemoteShell, ShellResult, ShellRunOptions } from '../remote-shell.ts';
import { shellQuote } from '../run-layout.ts';
import type { DaytonaClient } from './client.ts';
import { unlessAborted, withinLimit } from './wait.ts';

const defaults = { maxOutputBytes: 4 * 1024 * 1024, timeoutMs: 30_000 };
const marks = { output: '\n:o\n', result: '\n:r\n', code: '\n:c', end: '\n:e' };
const errorChars = 4096;

/**
 * Every script is one request to process/execute: nothing is kept open between two, and a broken connection concerns
 * one script only. `lost` says what has become of a sandbox that did not run one.
 */
export function createDaytonaShell(
  client: DaytonaClient,
  sandbox: Sandbox,
  lost: (error: PortError) => Promise<PortError>,
): RemoteShell {
  async function execute(script: string, maxOutputBytes: number, timeoutMs: number): Promise<ShellResult> {
    // A second more there, so that our own limit is the one that is met.
    const seconds = Math.ceil(timeoutMs / 1000) + 1;
    const command = framed(script);
    let answer;
    try {
      answer = await client.ask('command', () =>
        sandbox.process.executeCommand(command, undefined, undefined, seconds),
      );
    } catch (error) {
      throw PortError.is(error) ? await lost(error) : error;
    }
    const result = parseFrame(answer.result);
    if (result.stdout.length > maxOutputBytes) {
      throw new PortError('Terminal.TooLarge', `The output is larger than ${maxOutputBytes} bytes.`);
    }
    return result;
  }

  return {
    run: async (script: string, options: ShellRunOptions = {}) => {
      const { maxOutputBytes = defaults.maxOutputBytes, timeoutMs = defaults.timeoutMs, signal } = options;
      signal?.throwIfAborted();
      const work = withinLimit(execute(script, maxOutputBytes, timeoutMs), timeoutMs, () => {
        return new PortError('Terminal.OutcomeUnknown', `No answer from Daytona within ${timeoutMs / 1000} s.`);
      });
      return unlessAborted(work, signal);
    },
    close: () => undefined,
  };
}

/**
 * The daemon gives its shell the command as a script and answers with standard output and error as one text. So the
 * output goes through base64 between marks, standard error and exit code follow, and what the shell says itself (a
 * warning about the locale) falls outside. Four processes; every one more costs a millisecond or two.
 */
function framed(script: string): string {
  return `exec 3>&1 2>/dev/null
printf '\\n:o\\n'
__h_e=$({ { sh -c ${shellQuote(script)} </dev/null 2>&4 3>&- 4>&-; printf '\\n:c%s\\n' $? >&4; } | base64 >&3; } 4>&1)
printf '\\n:r\\n%s\\n:e' "$__h_e"`;
}

function parseFrame(text: string): ShellResult {
  const from = text.indexOf(marks.output);
  const middle = text.indexOf(marks.result, Math.max(0, from));
  const whole = from >= 0 && middle >= 0 && text.endsWith(marks.end);
  const said = text.slice(middle + marks.result.length, -marks.end.length);
  const codeAt = said.lastIndexOf(marks.code);
  const [, code] = /^(\d+)(?:\n|$)/.exec(said.slice(codeAt + marks.code.length)) ?? [];
  if (!whole || codeAt < 0 || code === undefined) {
    throw new PortError(
      'Terminal.OutcomeUnknown',
      'The command was ended from outside before its result was complete.',
    );
  }
  return {
    exitCode: Number(code),
    stdout: Buffer.from(text.slice(from + marks.output.length, middle), 'base64'),
    stderr: said.slice(0, codeAt).slice(-errorChars),
  };
}
