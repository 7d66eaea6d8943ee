import { createHash, createHmac } from 'node:crypto';

/** The known_hosts format of OpenSSH (sshd(8), “SSH_KNOWN_HOSTS FILE FORMAT”), without files and without policy. */
export interface KnownHost {
  /** Counted from one. */
  readonly line: number;
  readonly revoked: boolean;
  readonly keyType: string;
  /** The key as the server presents it. */
  readonly key: Buffer;
}

/** The name a server has in known_hosts: the port only where it is not 22. */
export function knownHostName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** Entries for a server. Lines that cannot be read, and those of certificate authorities, say nothing about it. */
export function entriesFor(name: string, text: string): KnownHost[] {
  const entries: KnownHost[] = [];
  for (const [index, content] of text.split('\n').entries()) {
    const words = content.trim().split(/\s+/);
    const marker = words[0]?.startsWith('@') === true ? words.shift() : undefined;
    const [hosts, keyType, encoded] = words;
    if (hosts === undefined || hosts.startsWith('#') || keyType === undefined || encoded === undefined) continue;
    if (marker !== undefined && marker !== '@revoked') continue;
    const key = Buffer.from(encoded, 'base64');
    if (keyTypeOf(key) !== keyType || !matches(hosts, name)) continue;
    entries.push({ line: index + 1, revoked: marker === '@revoked', keyType, key });
  }
  return entries;
}

export function knownHostLine(name: string, key: Buffer): string {
  return `${name} ${keyTypeOf(key)} ${key.toString('base64')}\n`;
}

/** First string of a public key in wire format: `ssh-ed25519`. Empty where it is none. */
export function keyTypeOf(key: Buffer): string {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0);
  return length > 64 ? '' : key.toString('latin1', 4, 4 + length);
}

/** As `ssh-keygen -l` shows it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHash(hosts, name);
  let found = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    if (pattern.startsWith('!')) {
      if (matchesPattern(pattern.slice(1), name)) return false;
    } else if (matchesPattern(pattern, name)) {
      found = true;
    }
  }
  return found;
}

function matchesHash(hashed: string, name: string): boolean {
  const [, version, salt = '', hash = ''] = hashed.split('|');
  if (version !== '1') return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern.replace(/[^*?]/g, (char) => `\\u{${char.codePointAt(0)?.toString(16) ?? ''}}`);
  return new RegExp(`^${source.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'u').test(name);
}
