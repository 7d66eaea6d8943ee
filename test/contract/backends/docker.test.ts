import { fileURLToPath } from 'node:url';
import { createDockerBackend } from '../../../src/backends/docker/docker.ts';
import { dockerEngine, withDockerEngine, type DockerEngine } from '../../support/docker/engine.ts';
import { busyboxImage, debianImage, loadBusybox, loadDebian } from '../../support/docker/images.ts';
import { describeBackend } from './conformance.ts';

const variants = [
  { name: 'docker (Debian, stops)', image: debianImage, load: loadDebian, hibernate: 'stop' },
  {
    name: 'docker (busybox)',
    image: busyboxImage,
    load: loadBusybox,
    hibernate: 'stop',
    only: ['results', 'sessions', 'kill'],
    lacks: ['tools-by-path', 'pty'],
  },
  {
    name: 'docker (busybox, commits)',
    image: busyboxImage,
    load: loadBusybox,
    hibernate: 'commit',
    only: ['lifecycle'],
  },
] as const;

withDockerEngine(() => {
  for (const { name, image, load, hibernate, ...rest } of variants) {
    const engine: DockerEngine = dockerEngine();
    const options = { installationId: 'c0ffee000001', host: engine.socketPath, image, hibernate };
    let started: Promise<unknown> | undefined;
    describeBackend({
      name,
      async open() {
        await (started ??= engine.start().then(() => load(engine.docker)));
        return createDockerBackend(options);
      },
      client: {
        modulePath: fileURLToPath(new URL('docker-client.ts', import.meta.url)),
        config: JSON.stringify(options),
      },
      ...rest,
      close: () => engine.stop(),
    });
  }
});
