import { PortError } from '../lib/port-error.ts';

/** Does once more what may be done twice, when nobody knows whether it was done. */
export async function repeatable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!PortError.is(error) || error.code !== 'Terminal.OutcomeUnknown') throw error;
    return work();
  }
}
