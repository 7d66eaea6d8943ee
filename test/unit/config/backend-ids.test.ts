import { expect, it } from 'vitest';
import { backendIds as known } from '../../../src/backends/registry.ts';
import { backendIds as offered } from '../../../src/config/sections/terminal.ts';

it('terminal.backend offers exactly the backends there are', () => {
  expect([...offered].sort()).toEqual([...known].sort());
});
