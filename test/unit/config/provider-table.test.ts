import { expect, it } from 'vitest';
import { providerTable, type ProviderInfo } from '../../../src/config/provider-ids.ts';
import { providerEntries } from '../../../src/models/registry.ts';

it('the registry of the models room and the table of the command say the same, in the same order', () => {
  const facts = ({ id, baseUrl, keyEnv, needsKey, defaultModel }: Omit<ProviderInfo, 'title'>): unknown => ({
    id,
    baseUrl,
    keyEnv,
    needsKey,
    defaultModel,
  });
  expect(providerTable.map(facts)).toEqual(providerEntries.map(facts));
});
