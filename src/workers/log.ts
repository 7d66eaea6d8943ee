import { pino, type Logger } from 'pino';

export type { Logger };

/**
 * The log of a service process, JSON lines on standard output; the supervisor writes them to a file. Every line passes the
 * redactor before it leaves the process.
 */
export function createLog(options: { level: string; part: string; redact: (text: string) => string }): Logger {
  return pino(
    { level: options.level, base: { part: options.part }, timestamp: pino.stdTimeFunctions.isoTime },
    {
      write: (line: string) => {
        process.stdout.write(options.redact(line));
      },
    },
  );
}
