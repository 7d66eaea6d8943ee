import * as z from 'zod';
import { amount, choice, file, list, secret, text, url, whole } from '../setting.ts';

/** `terminal.<backend>.*`: what each kind of machine needs to be reached and made. */

const cpus = amount({ default: null, min: 0.1, max: 1024, description: 'Processors it may use. Not set: all.' });
const memoryMb = whole({ default: null, min: 64, max: 10_000_000, description: 'Memory it may use. Not set: all.' });
const pids = whole({ default: 1024, min: 16, max: 4_000_000, description: 'Processes it may have at once.' });
const mounts = (what: string) =>
  list({
    default: [],
    item: z.string().regex(/^[^:]+:\/[^:]*(:ro|:rw)?$/),
    accepts: 'a list of HOST_FOLDER:FOLDER_INSIDE, with :ro for reading only',
    description: what,
  });

export const local = {
  sandbox: choice(['off', 'bubblewrap'], {
    default: 'off',
    description:
      'bubblewrap: commands see the machine read-only but for terminal.cwd and terminal.local.writable, in a process space of their own.',
  }),
  writable: list({
    default: [],
    description: 'Folders that sandboxed commands may write to, beside terminal.cwd.',
  }),
} as const;

export const docker = {
  host: text({
    default: null,
    env: ['DOCKER_HOST'],
    description: "The engine: unix:///path, tcp://host:port or a socket's path. Not set: this machine's own.",
  }),
  image: text({ default: 'debian:bookworm-slim', description: 'Image of new environments; pulled when it is absent.' }),
  buildFolder: file({
    default: null,
    description: 'Folder with a Dockerfile to build the image from when it is absent.',
  }),
  user: text({ default: null, description: 'User inside. Not set: what the image says.' }),
  cpus,
  memoryMb,
  pids,
  capabilities: list({
    default: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETGID', 'SETUID'],
    item: z.string().regex(/^[A-Z_]+$/),
    accepts: 'a list of names of Linux capabilities, without CAP_',
    description: 'What is left after all capabilities are dropped; the default is what installing packages needs.',
  }),
  network: choice(['on', 'off'], { default: 'on', description: 'Whether commands inside reach the network.' }),
  mounts: mounts("Folders of the engine's machine that are seen inside."),
  hibernate: choice(['stop', 'commit'], {
    default: 'stop',
    description: 'How it sleeps: stop keeps the container, commit keeps an image of it and removes the container.',
  }),
} as const;

export const ssh = {
  host: text({ default: null, description: 'Name or address of the machine.' }),
  port: whole({ default: 22, min: 1, max: 65_535, description: 'Port of its SSH server.' }),
  user: text({ default: null, description: "Account there. Not set: this account's name." }),
  keyFile: file({ default: null, description: 'Private key. Not set: the usual ones in ~/.ssh, and the agent.' }),
  keyPassphrase: secret({ description: 'Passphrase of the private key.' }),
  password: secret({ description: 'Password of the account; a key is safer.' }),
  agent: text({
    default: null,
    env: ['SSH_AUTH_SOCK'],
    description: "Socket of an SSH agent. Not set: the session's.",
  }),
  knownHostsFile: file({
    default: null,
    description:
      'Known host keys, in the format of OpenSSH. Not set: ~/.ssh/known_hosts is read, new ones are kept in the home folder.',
  }),
  jump: text({ default: null, description: 'Machines to go through first: user@host:port, several with commas.' }),
} as const;

export const singularity = {
  bin: text({ default: null, description: 'The program. Not set: apptainer or singularity, whichever is there.' }),
  image: text({
    default: 'docker://debian:bookworm-slim',
    description: 'A .sif file, a folder, docker-archive:FILE, or an image of a registry (docker://…).',
  }),
  cpus,
  memoryMb,
  pids,
  network: choice(['on', 'off'], { default: 'on', description: 'Whether commands inside reach the network.' }),
  mounts: mounts('Folders of this machine that are seen inside.'),
} as const;

export const modal = {
  tokenId: secret({ env: ['MODAL_TOKEN_ID'], description: 'Token id, ak-…' }),
  tokenSecret: secret({ env: ['MODAL_TOKEN_SECRET'], description: 'Token secret, as-…' }),
  serverUrl: url({ default: null, env: ['MODAL_SERVER_URL'], description: "The service's address. Not set: Modal's." }),
  environment: text({
    default: null,
    env: ['MODAL_ENVIRONMENT'],
    description: 'Modal environment. Not set: the usual one.',
  }),
  app: text({ default: 'hermes', description: 'Modal app the sandboxes belong to; made when it is absent.' }),
  image: text({ default: 'debian:bookworm-slim', description: 'Image of new environments, from a registry.' }),
  cpus,
  memoryMb,
  region: text({ default: null, description: 'Region to run in. Not set: any.' }),
  maxLifeHours: amount({
    default: 24,
    min: 0.1,
    max: 24,
    description: 'A sandbox lives this long at most; before that its files move to a new one.',
  }),
} as const;

export const daytona = {
  apiKey: secret({ env: ['DAYTONA_API_KEY'], description: 'API key.' }),
  apiUrl: url({ default: null, env: ['DAYTONA_API_URL'], description: "The API's address. Not set: Daytona's." }),
  target: text({ default: null, env: ['DAYTONA_TARGET'], description: 'Region to run in. Not set: the usual one.' }),
  image: text({ default: 'debian:bookworm-slim', description: 'Image of new environments, from a registry.' }),
  snapshot: text({
    default: null,
    description: 'Daytona snapshot to make new environments from, instead of an image.',
  }),
  cpus: whole({ default: null, min: 1, max: 1024, description: 'Processors. Not set: what Daytona gives.' }),
  memoryGb: whole({ default: null, min: 1, max: 10_000, description: 'Memory. Not set: what Daytona gives.' }),
  diskGb: whole({ default: null, min: 1, max: 100_000, description: 'Disk. Not set: what Daytona gives.' }),
  autoStopMinutes: whole({
    default: 60,
    min: 0,
    max: 100_000,
    description: 'Daytona itself stops it after this long without use, should nobody here do it; 0: never.',
  }),
  archiveAfterDays: whole({
    default: 7,
    min: 0,
    max: 30,
    description:
      'A stopped one is archived after this long, which costs less and wakes slower; 0: as late as Daytona allows.',
  }),
} as const;
