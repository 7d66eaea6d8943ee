/** Of all files of one request to send them, together, before they are written as base64. */
export const mostSendBytes = 50 * 1024 * 1024;
