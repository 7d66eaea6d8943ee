import { buffer } from 'node:stream/consumers';
import { PortError } from '../../lib/port-error.ts';
import type { OutboundFile } from './platform.ts';

/**
 * A file that is to be sent, whole.
 *
 * @throws PortError Platform.MessageRejected for one that is empty or larger than the limit, Unavailable when it cannot be
 *   read; nothing was sent then.
 */
export async function fileBytes(file: OutboundFile, limitBytes: number): Promise<Buffer> {
  if (file.sizeBytes > limitBytes) throw tooLarge(limitBytes);
  let bytes: Buffer;
  try {
    bytes = await buffer(await file.open());
  } catch {
    throw new PortError('Platform.Unavailable', 'The file could not be read; nothing was sent.');
  }
  if (bytes.length > limitBytes) throw tooLarge(limitBytes);
  if (bytes.length === 0) throw new PortError('Platform.MessageRejected', 'An empty file cannot be sent there.');
  return bytes;
}

function tooLarge(limitBytes: number): PortError {
  return new PortError('Platform.MessageRejected', `The file is too large: ${limitBytes} bytes can be sent there.`);
}
