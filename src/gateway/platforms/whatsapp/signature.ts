import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** Whether the body was signed with the secret: `sha256=<hex>` of HMAC over the raw bytes. In constant time. */
export function isSigned(body: Buffer, signature: string | undefined, secret: string): boolean {
  const hex = /^sha256=([0-9a-f]{64})$/i.exec(signature ?? '')?.[1];
  if (hex === undefined) return false;
  return timingSafeEqual(Buffer.from(hex, 'hex'), createHmac('sha256', secret).update(body).digest());
}

/** Whether two words are the same, in a time that tells neither how far they agree nor how long they are. */
export function isSame(one: string, other: string): boolean {
  const digest = (word: string): Buffer => createHash('sha256').update(word).digest();
  return timingSafeEqual(digest(one), digest(other));
}
