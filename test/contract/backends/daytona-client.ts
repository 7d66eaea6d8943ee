import type { Backend } from '../../../src/backends/backend.ts';
import { createDaytonaBackend } from '../../../src/backends/daytona/daytona.ts';
import type { DaytonaBackendOptions } from '../../../src/backends/daytona/options.ts';

/** The daytona backend as the conformance suite's client processes open it. */
export function openBackend(config: string): Promise<Backend> {
  return Promise.resolve(createDaytonaBackend(JSON.parse(config) as DaytonaBackendOptions));
}
