import { PortError } from '../lib/port-error.ts';

/** The port's error for a failed file operation, in words for people. `path` is what was asked for. */
export function fileError(error: unknown, path: string): PortError {
  if (PortError.is(error)) return error;
  const code = codeOf(error) ?? 'unknown';
  const details = { path, code };
  switch (code) {
    case 'ENOENT':
      return new PortError('Terminal.NotFound', `No such file or directory: ${path}`, { details, cause: error });
    case 'ENOTDIR':
      return new PortError('Terminal.NotFound', `Part of the path is not a directory: ${path}`, {
        details,
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new PortError('Terminal.Denied', `Permission denied: ${path}`, { details, cause: error });
    case 'EISDIR':
      return new PortError('Terminal.Invalid', `It is a directory: ${path}`, { details, cause: error });
    case 'ENAMETOOLONG':
    case 'ELOOP':
    case 'EINVAL':
    case 'ERR_INVALID_ARG_VALUE':
      return new PortError('Terminal.Invalid', `Not a usable path: ${path}`, { details, cause: error });
    case 'EFBIG':
      return new PortError('Terminal.TooLarge', `Too large: ${path}`, { details, cause: error });
    case 'ENOSPC':
    case 'EDQUOT':
      return new PortError('Terminal.Full', `The disk is full: ${path}`, { details, cause: error });
    default:
      return new PortError('Terminal.BackendUnavailable', `Cannot access ${path} (${code})`, { details, cause: error });
  }
}

/** `ENOENT` and so on; undefined for anything but a system error. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
