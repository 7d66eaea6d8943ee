/** An Ogg Opus recording of the given length with loud and quiet passages; its packets hold no real sound. */
export function oggOpus({ seconds }: { readonly seconds: number }): Buffer {
  const skip = 312;
  const head = Buffer.concat([Buffer.from('OpusHead'), Buffer.from([1, 1]), u16(skip), Buffer.alloc(7)]);
  const pages = [page(head, [head.length], 0n, 0), page(Buffer.from('OpusTags'), [8], 0n, 1)];
  // Fifty packets of 20 ms each in a page of one second.
  for (let second = 0; second < seconds; second += 1) {
    const sizes = Array.from({ length: 50 }, (_, packet) => 20 + ((packet * 7 + second * 40) % 120));
    const body = Buffer.alloc(
      sizes.reduce((sum, size) => sum + size, 0),
      second + 1,
    );
    pages.push(page(body, sizes, BigInt((second + 1) * 48_000 + skip), second + 2));
  }
  return Buffer.concat(pages);
}

function page(body: Buffer, sizes: readonly number[], granule: bigint, sequence: number): Buffer {
  const header = Buffer.alloc(27);
  header.write('OggS', 0, 'latin1');
  header.writeBigInt64LE(granule, 6);
  header.writeUInt32LE(1, 14);
  header.writeUInt32LE(sequence, 18);
  header.writeUInt8(sizes.length, 26);
  return Buffer.concat([header, Buffer.from(sizes), body]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
