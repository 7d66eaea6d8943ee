import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { StartProblem } from '../problem.ts';
import { sameDatabaseLine, temporalPin } from './pin.ts';

/** Which server made a database file; kept beside it as `<file>.version`. */
export interface DatabaseStamp {
  readonly cli: string;
  readonly server: string;
  readonly createdAt: string;
}

const stampPath = (dbFile: string): string => `${dbFile}.version`;

/** The stamp of a database file; undefined when there is none. */
export function readDatabaseStamp(dbFile: string): DatabaseStamp | undefined {
  const path = stampPath(dbFile);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as DatabaseStamp) : undefined;
}

/**
 * Refuses to open a database file of another server line, because the development server neither migrates it nor
 * notices. A new file is stamped before it is made, so that a crash in between cannot leave one without a stamp.
 * Throws StartProblem.
 */
export function claimDatabase(dbFile: string, binary: { readonly cli: string; readonly server: string }): void {
  const stamp = readDatabaseStamp(dbFile);
  if (stamp === undefined || !existsSync(dbFile)) {
    const fresh: DatabaseStamp = { cli: binary.cli, server: binary.server, createdAt: new Date().toISOString() };
    writeFileSync(`${stampPath(dbFile)}.new`, JSON.stringify(fresh));
    renameSync(`${stampPath(dbFile)}.new`, stampPath(dbFile));
    return;
  }
  if (sameDatabaseLine(stamp.server, binary.server)) return;
  throw new StartProblem(
    `${dbFile} was made by Temporal server ${stamp.server} and cannot be opened by ${binary.server}`,
    [
      `To finish what is in progress, put temporal ${stamp.cli} on the PATH, run \`hermes up\` and wait until \`hermes status\` shows no open turns.`,
      `Then run \`hermes down\`, move ${dbFile} and ${stampPath(dbFile)} away and start again:`,
      `conversations go on from the store, only unfinished turns live in that file (this version runs ${temporalPin.server}).`,
    ].join(' '),
  );
}
