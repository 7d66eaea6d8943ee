/** Opus counts its samples at this rate, whatever was recorded. */
const samplesPerSecond = 48_000;

/** Length of an Ogg Opus recording in seconds, as every platform here sends voice notes; null for anything else. */
export function voiceSeconds(bytes: Buffer): number | null {
  if (!bytes.subarray(0, 64).includes('OpusHead')) return null;
  const lastPage = bytes.lastIndexOf('OggS');
  if (lastPage < 0 || lastPage + 14 > bytes.length) return null;
  const seconds = Number(bytes.readBigInt64LE(lastPage + 6)) / samplesPerSecond;
  return seconds > 0 && seconds < 24 * 3600 ? seconds : null;
}
