import type { PortError } from '../lib/port-error.ts';
import { fileError } from './file-errors.ts';

/** What the C libraries, shells and small tools of Linux and BSD say for the errors of a system, in the C locale. */
const words: readonly (readonly [string, RegExp])[] = [
  ['ENOSPC', /no space left on device/i],
  ['EDQUOT', /quota exceeded/i],
  ['ENOTDIR', /not a directory/i],
  ['EISDIR', /is a directory/i],
  ['EACCES', /permission denied/i],
  ['EPERM', /operation not permitted/i],
  ['EROFS', /read-only file ?system/i],
  ['ENAMETOOLONG', /file ?name too long/i],
  ['ELOOP', /too many (levels of )?symbolic links|symbolic link loop/i],
  ['EFBIG', /file too large/i],
  ['ENOENT', /no such file|nonexistent/i],
];

/** The port's error for a script that failed on `path`, by what the last line of its errors ends with. */
export function shellFileError(stderr: string, path: string): PortError {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  // The reason stands after the last colon; a path before it may hold any words.
  const reasons = lines.map((line) => line.slice(line.lastIndexOf(':') + 1)).reverse();
  for (const reason of reasons) {
    const known = words.find(([, pattern]) => pattern.test(reason));
    if (known) return fileError(Object.assign(new Error(reason.trim()), { code: known[0] }), path);
  }
  return fileError(new Error(lines.at(-1) ?? 'failed without a word'), path);
}
