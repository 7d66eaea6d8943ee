/** Largest file that a bot may upload, in a server without boosts. */
export const sendBytes = 10 * 1024 * 1024;
