/** Slack cuts a message at 40 000 characters and asks for no more than this; an edit takes no more either. */
export const longestText = 4_000;
/** Longest text of one section of a message. */
export const longestSection = 3_000;
