/**
 * Names of the search attributes by which conversations are found in Temporal. The embedded server's start registers
 * them; docs/operations.md says how on a server of one's own.
 */
export const searchAttributeNames = {
  person: 'HermesPerson',
  platform: 'HermesPlatform',
  /** `active` or `waiting` (for a decision of the person). */
  state: 'HermesState',
  title: 'HermesTitle',
} as const;
