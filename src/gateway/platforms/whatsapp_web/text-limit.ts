/** Clients show more, but fold it away; this much is shown by all of them. */
export const textLimit = { max: 4096, unit: 'utf16' } as const;
