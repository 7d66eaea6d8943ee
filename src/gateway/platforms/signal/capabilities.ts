import type { PlatformCapabilities } from '../platform.ts';

/** What Signal shows and takes through signal-cli. */
export const capabilities: PlatformCapabilities = {
  // signal-cli turns longer ones into an attachment.
  text: { max: 2000, unit: 'bytes' },
  dialect: 'signal-styles',
  edits: true,
  // Clients drop what comes after the hundredth edit of a message, so edits are rare enough for a long answer.
  paceMs: { chat: 3000, account: 250 },
  buttons: 0,
  typingMs: 10_000,
  threads: false,
  commands: 'text',
  // Files go in base64 within a JSON string, of which the daemon takes 20,000,000 characters.
  files: { sendBytes: 14_000_000, receiveBytes: 100_000_000, captionMax: 2000 },
  voiceNotes: true,
  sendsOnce: 'none',
};
