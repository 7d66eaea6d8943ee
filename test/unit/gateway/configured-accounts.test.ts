import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { changeConfig, type Change } from '../../../src/config/write.ts';
import { accountsSetUp, configuredAccounts } from '../../../src/gateway/configured-accounts.ts';

const token = '123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const set = (key: string, value: string): Change => ({ key: `gateway.${key}`, value });

it.each([
  ['switched off, with its token', [set('telegram.token', token)], ['telegram']],
  [
    'switched on, while all are off',
    [set('enabled', 'false'), set('telegram.token', token), set('telegram.enabled', 'true')],
    ['telegram'],
  ],
  ['a further one', [set('telegram.accounts.work.token', token)], ['telegram/work']],
  ['without what it needs', [set('telegram.home', '7')], []],
])('an account that is %s', async (_what, changes, expected) => {
  const home = mkdtempSync(join(tmpdir(), 'hermes-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  await changeConfig({ home, env: {} }, changes);
  const { config } = loadConfig({ home, env: {} });
  expect(accountsSetUp(config).map(({ id }) => id)).toEqual(expected);
  expect(configuredAccounts(config)).toEqual([]);
});
