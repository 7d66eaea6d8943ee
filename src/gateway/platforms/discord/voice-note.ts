/** Every 48,000 of these are one second in Opus, whatever the recording's own rate. */
const granulesPerSecond = 48_000;
const bars = 64;

export interface VoiceNote {
  readonly seconds: number;
  /** Heights of the bars that are shown, in base64. */
  readonly waveform: string;
}

/**
 * What Discord wants to know about a voice note: its length and a picture of it, read from the pages of an Ogg Opus file.
 * Loud passages take more bytes than quiet ones, so bytes per page make a fair picture without decoding.
 *
 * @returns null for what is no such file.
 */
export function readVoiceNote(bytes: Buffer): VoiceNote | null {
  let granules = 0;
  let skipped = 0;
  const packets: number[] = [];
  for (let at = 0; at + 27 <= bytes.length && bytes.toString('latin1', at, at + 4) === 'OggS';) {
    const segments = bytes.subarray(at + 27, at + 27 + (bytes[at + 26] ?? 0));
    const start = at + 27 + segments.length;
    const granule = bytes.readBigInt64LE(at + 6);
    if (bytes.toString('latin1', start, start + 8) === 'OpusHead' && start + 12 <= bytes.length) {
      skipped = bytes.readUInt16LE(start + 10);
    } else if (granule > 0n) {
      granules = Number(granule);
      packets.push(...packetSizes(segments));
    }
    at = start + segments.reduce((sum, size) => sum + size, 0);
  }
  if (granules === 0) return null;
  const seconds = Math.max(0.1, (granules - skipped) / granulesPerSecond);
  return { seconds: Math.round(seconds * 100) / 100, waveform: picture(packets).toString('base64') };
}

/** Packets are cut into segments of 255 bytes and a shorter last one. */
function packetSizes(segments: Buffer): number[] {
  const sizes: number[] = [];
  let size = 0;
  for (const segment of segments) {
    size += segment;
    if (segment === 255) continue;
    sizes.push(size);
    size = 0;
  }
  return sizes;
}

function picture(packets: readonly number[]): Buffer {
  const count = Math.min(bars, packets.length);
  const most = packets.reduce((top, size) => Math.max(top, size), 1);
  return Buffer.from(
    Array.from({ length: count }, (_, bar) => {
      const part = packets.slice(
        Math.floor((bar * packets.length) / count),
        Math.floor(((bar + 1) * packets.length) / count),
      );
      const mean = part.reduce((sum, size) => sum + size, 0) / Math.max(1, part.length);
      return Math.round((mean / most) * 255);
    }),
  );
}
