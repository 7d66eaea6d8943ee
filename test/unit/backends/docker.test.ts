import { describe, expect, it } from 'vitest';
import { connectionOf } from '../../../src/backends/docker/client.ts';
import { dockerError } from '../../../src/backends/docker/errors.ts';
import { splitter } from '../../../src/backends/docker/exec.ts';
import { dockerNames } from '../../../src/backends/docker/names.ts';
import { dockerSettings } from '../../../src/backends/docker/options.ts';
import { parseMount } from '../../../src/backends/docker/settings.ts';

const installationId = 'c0ffee000000';

function frame(kind: 1 | 2, text: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

describe("the daemon's framing", () => {
  const frames = [frame(1, 'one '), frame(2, 'oops'), frame(1, ''), frame(1, 'two \0ü'), frame(2, '!')];
  it.each([1, 2, 3, 7, 8, 9, 1_000])('comes apart whatever the pieces, here of %i bytes', async (size) => {
    const errors: Buffer[] = [];
    const split = splitter((bytes) => errors.push(Buffer.from(bytes)));
    const whole = Buffer.concat(frames);
    for (let at = 0; at < whole.length; at += size) split.write(whole.subarray(at, at + size));
    split.end();
    const output: Buffer[] = [];
    for await (const chunk of split) output.push(chunk as Buffer);
    expect(Buffer.concat(output).toString()).toBe('one two \0ü');
    expect(Buffer.concat(errors).toString()).toBe('oops!');
  });
});

describe('addresses', () => {
  it.each([
    ['unix:///run/x.sock', { place: '/run/x.sock', socketPath: '/run/x.sock' }],
    ['/run/x.sock', { place: '/run/x.sock', socketPath: '/run/x.sock' }],
    ['tcp://10.0.0.1:2375', { protocol: 'http', host: '10.0.0.1', port: 2375 }],
    ['tcp://[::1]', { protocol: 'http', host: '::1', port: 2375 }],
    ['https://engine', { protocol: 'https', host: 'engine', port: 2376 }],
  ])('%s', (host, expected) => {
    expect(connectionOf({ installationId, host })).toMatchObject(expected);
  });

  it('what is none is refused by name of the setting', () => {
    for (const host of ['engine', 'ftp://engine', '::']) {
      expect(() => connectionOf({ installationId, host })).toThrow('terminal.docker.host');
    }
  });

  it('a certificate that is not there is an error of authentication', () => {
    const options = { installationId, host: 'tcp://engine:2376', certFolder: '/no/such/folder' };
    expect(() => connectionOf(options)).toThrow(expect.objectContaining({ code: 'Terminal.Authentication' }));
  });
});

describe('settings', () => {
  it.each([
    ['debian', 'debian:latest'],
    ['debian:bookworm', 'debian:bookworm'],
    ['registry.example:5000/team/image', 'registry.example:5000/team/image:latest'],
    ['debian@sha256:abc', 'debian@sha256:abc'],
  ])('the image %s is %s', (image, expected) => {
    expect(dockerSettings({ installationId, image }).image).toBe(expected);
  });

  it.each([
    ['/a:/b', { Source: '/a', Target: '/b', ReadOnly: false }],
    ['/a b:/c d:ro', { Source: '/a b', Target: '/c d', ReadOnly: true }],
    ['C:\\work:/work:rw', { Source: 'C:\\work', Target: '/work', ReadOnly: false }],
  ])('the mount %s', (text, expected) => {
    expect(parseMount(text)).toMatchObject({ Type: 'bind', ...expected });
  });

  it.each(['', '/a', '/a:b', ':/b', '/a:/b:rx', '/a:/'])('%s is no mount', (text) => {
    expect(() => parseMount(text)).toThrow('terminal.docker.mounts');
  });
});

describe('names', () => {
  const names = dockerNames(installationId);
  it('are allowed whatever the id holds, and differ where only case does', () => {
    for (const id of ['person/a', 'Ünïcode 🦉', 'x'.repeat(500), '.-']) {
      expect(names.container(id)).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,200}$/);
      expect(names.snapshots(id)).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*\/[a-z0-9]+(-[a-z0-9]+)*$/);
    }
    expect(names.snapshots('a')).not.toBe(names.snapshots('A'));
  });

  it('tell our tags from those of another installation', () => {
    const other = dockerNames('c0ffee00000f');
    expect(names.isOurTag(`${names.snapshots('a')}:3`)).toBe(true);
    expect(names.isOurTag(names.built('abc'))).toBe(true);
    expect(names.isOurTag(`${other.snapshots('a')}:3`)).toBe(false);
    expect(names.isOurTag('mine:copy')).toBe(false);
  });
});

describe('errors', () => {
  const answer = (statusCode: number, message: string) =>
    Object.assign(new Error('x'), { statusCode, json: { message } });
  const failure = (code: string) => Object.assign(new Error(code), { code });
  it.each([
    [failure('ENOENT'), 'Terminal.BackendUnavailable', 'no socket /s'],
    [failure('EACCES'), 'Terminal.Denied', 'group docker'],
    [failure('ECONNREFUSED'), 'Terminal.BackendUnavailable', 'terminal.docker.host'],
    [failure('ECONNRESET'), 'Terminal.BackendUnavailable', 'connection'],
    [answer(404, 'No such container: x'), 'Terminal.SessionLost', 'does not exist'],
    [answer(409, 'Container x is not running'), 'Terminal.Asleep', 'asleep'],
    [answer(409, 'Container x is paused'), 'Terminal.Asleep', 'asleep'],
    [answer(500, 'Container x is not running: exited'), 'Terminal.Asleep', 'asleep'],
    [answer(409, 'Conflict'), 'Terminal.BackendUnavailable', 'Conflict'],
    [answer(500, 'write /x: no space left on device'), 'Terminal.Full', 'no space left'],
    [answer(401, 'authorization denied'), 'Terminal.Authentication', 'denied'],
    [answer(400, 'Range of CPUs is from 0.01 to 2.00'), 'Terminal.Invalid', 'CPUs'],
    [answer(503, 'busy'), 'Terminal.BackendUnavailable', 'busy'],
  ])('%s becomes %s', (error, code, words) => {
    const mapped = dockerError(error, '/s', 'container');
    expect(mapped.code).toBe(code);
    expect(mapped.message).toContain(words);
  });
});
