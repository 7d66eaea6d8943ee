import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  entriesFor,
  fingerprintOf,
  keyTypeOf,
  knownHostLine,
  knownHostName,
} from '../../../../src/backends/ssh/known-hosts.ts';

function key(type: string, body: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.from(body)]);
}
const one = key('ssh-ed25519', 'one');
const text = one.toString('base64');
const linesFor = (name: string, content: string) => entriesFor(name, content).map(({ line }) => line);

describe('known_hosts', () => {
  it('names a server by its port only where it is not the usual one', () => {
    expect(knownHostName('Example.ORG', 22)).toBe('example.org');
    expect(knownHostName('::1', 2222)).toBe('[::1]:2222');
  });

  it('finds a server by name, pattern and hash, and not by what a pattern excludes', () => {
    const salt = Buffer.from('0123456789abcdefghij');
    const hash = createHmac('sha1', salt).update('hashed.example').digest('base64');
    const content = [
      `other,Example.org ssh-ed25519 ${text} a comment`,
      `*.example.org,!bad.example.org ssh-ed25519 ${text}`,
      `|1|${salt.toString('base64')}|${hash} ssh-ed25519 ${text}`,
      `[10.0.0.?]:2222 ssh-ed25519 ${text}`,
    ].join('\r\n');
    expect(linesFor('example.org', content)).toEqual([1]);
    expect(linesFor('good.example.org', content)).toEqual([2]);
    expect(linesFor('bad.example.org', content)).toEqual([]);
    expect(linesFor('hashed.example', content)).toEqual([3]);
    expect(linesFor('[10.0.0.7]:2222', content)).toEqual([4]);
    expect(linesFor('10.0.0.7', content)).toEqual([]);
    expect(linesFor('exampleXorg', content)).toEqual([]);
  });

  it('passes over comments, damage and certificate authorities, and marks revoked keys', () => {
    const content = [
      `# host ssh-ed25519 ${text}`,
      'host',
      'host ssh-ed25519 not-a-key',
      `host ssh-rsa ${text}`,
      `@cert-authority host ssh-ed25519 ${text}`,
      `@revoked host ssh-ed25519 ${text}`,
      `|2|x|y ssh-ed25519 ${text}`,
    ].join('\n');
    expect(entriesFor('host', content)).toMatchObject([{ line: 6, revoked: true, keyType: 'ssh-ed25519' }]);
  });

  it('writes a line that it finds again', () => {
    const name = knownHostName('host', 2022);
    expect(entriesFor(name, knownHostLine(name, one))[0]?.key.equals(one)).toBe(true);
  });

  it('shows fingerprints as ssh-keygen does', () => {
    const real = 'AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';
    expect(fingerprintOf(Buffer.from(real, 'base64'))).toBe('SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU');
    expect(keyTypeOf(Buffer.from(real, 'base64'))).toBe('ssh-ed25519');
    expect(keyTypeOf(Buffer.from('xx'))).toBe('');
  });
});
