/** What may cross a Temporal or HTTP boundary: no Map, Set, Date or class instance survives the trip. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
