/** Settings of the docker backend, `terminal.docker.*`. */
export interface DockerBackendOptions {
  /** Twelve lower-case hex digits, one per home folder; part of every name, so that two installations never meet. */
  readonly installationId: string;
  /**
   * Where the daemon is: `unix:///path`, `/path`, `tcp://host:port`, `https://host:port`, `ssh://user@host`. Without it
   * the daemon's usual socket on this machine (the caller passes DOCKER_HOST where it is set).
   */
  readonly host?: string;
  /** Folder with `ca.pem`, `cert.pem` and `key.pem` for a daemon behind TLS, as DOCKER_CERT_PATH. */
  readonly certFolder?: string;
  /** Image environments are made from; pulled when it is absent. `debian:bookworm-slim` where not given. */
  readonly image?: string;
  /**
   * Folder of this machine with a `Dockerfile`; the image is built from it instead of pulled, and again when that file
   * has changed. `.dockerignore` applies.
   */
  readonly buildFolder?: string;
  /** Cores, fractions too; unlimited where not given. */
  readonly cpus?: number;
  /** Memory and swap together; unlimited where not given. */
  readonly memoryMb?: number;
  /** Most processes and threads at once; 1024 where not given. */
  readonly pids?: number;
  /** `on` (where not given) is the engine's bridge; `off` leaves only loopback. */
  readonly network?: 'on' | 'off';
  /** Folders of the daemon's machine, as `/there:/inside` or `/there:/inside:ro`. */
  readonly mounts?: readonly string[];
  /** User, or `user:group`, commands run as; the image's own where not given. */
  readonly user?: string;
  /** Folder there where commands start, made where it is missing; the image's own, or home, where not given. */
  readonly cwd?: string;
  /**
   * Linux capabilities given back after all were dropped. None where not given; `apt-get install` and `dpkg` of ordinary
   * packages need CHOWN, DAC_OVERRIDE, FOWNER, SETGID and SETUID.
   */
  readonly capabilities?: readonly string[];
  /** `stop` (where not given) keeps the stopped container; `commit` keeps an image of it and removes the container. */
  readonly hibernate?: 'stop' | 'commit';
  /** Layers a snapshot may have before it is flattened; 100 where not given. Engines refuse more than about 125. */
  readonly maxLayers?: number;
  /** The ssh program for `ssh://` hosts; `ssh` where not given. Its own configuration, keys and known hosts apply. */
  readonly sshProgram?: string;
}

/** The options with every default filled in. */
export interface DockerSettings extends DockerBackendOptions {
  readonly image: string;
  readonly pids: number;
  readonly network: 'on' | 'off';
  readonly mounts: readonly string[];
  readonly capabilities: readonly string[];
  readonly hibernate: 'stop' | 'commit';
  readonly maxLayers: number;
}

export function dockerSettings(options: DockerBackendOptions): DockerSettings {
  return {
    ...options,
    image: withTag(options.image ?? 'debian:bookworm-slim'),
    pids: options.pids ?? 1024,
    network: options.network ?? 'on',
    mounts: options.mounts ?? [],
    capabilities: options.capabilities ?? [],
    hibernate: options.hibernate ?? 'stop',
    maxLayers: options.maxLayers ?? 100,
  };
}

/** Without a tag a pull would fetch every tag there is. */
function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  return name.includes(':') || image.includes('@') ? image : `${image}:latest`;
}
