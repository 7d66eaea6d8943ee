import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** Registered by the embedded server's start; docs/operations.md says how on a server of one's own. */
export const stateAttribute = defineSearchAttributeKey('HermesState', SearchAttributeType.KEYWORD);
export const personAttribute = defineSearchAttributeKey('HermesPerson', SearchAttributeType.KEYWORD);
export const platformAttribute = defineSearchAttributeKey('HermesPlatform', SearchAttributeType.KEYWORD);
export const titleAttribute = defineSearchAttributeKey('HermesTitle', SearchAttributeType.TEXT);
