import * as grpc from '@grpc/grpc-js';
import { Refusal, type Site } from './server.ts';
import { status, type SandboxDefinition, type WorldSandbox } from './world.ts';

/** A request as the loader gives it: every field of the message is there. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Request = any;
type Answer = (request: Request, call: { metadata: grpc.Metadata }) => unknown;

const { NOT_FOUND, UNAUTHENTICATED, ALREADY_EXISTS, INVALID_ARGUMENT } = grpc.status;

/** Runs an answer for a unary call, with a refusal as its error. */
export function unary(site: Site, name: string, answer: Answer): grpc.UntypedHandleCall {
  const handle: grpc.handleUnaryCall<Request, unknown> = (call, reply) => {
    const work = async () => {
      const answered: unknown = await answer(call.request, call);
      await site.faults.held.get(name)?.();
      return answered;
    };
    work().then(
      (message) => {
        reply(null, message);
      },
      (error: unknown) => {
        reply({
          code: error instanceof Refusal ? error.code : grpc.status.INTERNAL,
          details: error instanceof Error ? error.message : String(error),
        });
      },
    );
  };
  return handle;
}

/** The calls to the server itself. */
export function controlHandlers(site: Site): Record<string, grpc.UntypedHandleCall> {
  const answers = { ...accountAnswers(site), ...imageAnswers(site), ...sandboxAnswers(site), ...tagAnswers(site) };
  return Object.fromEntries(
    Object.entries(answers).map(([name, answer]: [string, Answer]) => [
      name,
      unary(site, name, (request, call) => {
        if (name !== 'AuthTokenGet' && !site.knowsPass(header(call, 'x-modal-auth-token'))) {
          throw new Refusal(UNAUTHENTICATED, 'Token has expired');
        }
        return answer(request, call);
      }),
    ]),
  );
}

function header({ metadata }: { metadata: grpc.Metadata }, name: string): string {
  return String(metadata.get(name)[0] ?? '');
}

function accountAnswers(site: Site) {
  const { token } = site;
  return {
    AuthTokenGet: (_request: Request, call: { metadata: grpc.Metadata }) => {
      if (header(call, 'x-modal-token-id') !== token.id) throw new Refusal(UNAUTHENTICATED, 'Token ID not found');
      if (header(call, 'x-modal-token-secret') !== token.secret) {
        throw new Refusal(UNAUTHENTICATED, 'Token validation failed');
      }
      if (!token.valid) throw new Refusal(UNAUTHENTICATED, 'Token has expired');
      return { token: site.pass() };
    },
    AppGetOrCreate: ({ appName }: Request) => ({ appId: `ap-${String(appName)}` }),
    EnvironmentGetOrCreate: ({ deploymentName }: Request) => ({
      environmentId: 'en-1',
      metadata: { name: String(deploymentName), settings: { imageBuilderVersion: '2025.06' } },
    }),
  };
}

function imageAnswers({ world }: Site) {
  const known = (imageId: string) => {
    if (!world.images.has(imageId)) throw new Refusal(NOT_FOUND, `Could not find image with ID ${imageId}`);
  };
  return {
    ImageGetOrCreate: async ({ image }: Request) => {
      const [from = ''] = (image as { dockerfileCommands: string[] }).dockerfileCommands;
      if (from.includes('no-such')) {
        return { imageId: 'im-failed', result: { status: status.failure, exception: `${from}: manifest unknown` } };
      }
      return { imageId: await world.build(from), result: { status: status.success } };
    },
    ImageFromId: ({ imageId }: Request) => {
      known(String(imageId));
      return { imageId: String(imageId) };
    },
    ImageDelete: ({ imageId }: Request) => {
      known(String(imageId));
      world.images.delete(String(imageId));
      return {};
    },
  };
}

function sandboxOf({ world }: Site, sandboxId: unknown): WorldSandbox {
  const sandbox = world.sandboxes.get(String(sandboxId));
  if (!sandbox) throw new Refusal(NOT_FOUND, `Sandbox ${String(sandboxId)} not found`);
  return sandbox;
}

async function over(sandbox: WorldSandbox, seconds: number): Promise<void> {
  if (sandbox.result !== null && seconds <= 0) return;
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise((resolve) => (timer = setTimeout(resolve, seconds * 1000)));
  await Promise.race([sandbox.over, enough]);
  clearTimeout(timer);
}

function sandboxAnswers(site: Site) {
  const { world } = site;
  const access = () => ({ jwt: site.pass(), url: site.routerUrl() });
  return {
    SandboxCreateV2: async ({ definition, tags }: Request) => {
      const wanted = definition as SandboxDefinition;
      if (!/^[A-Za-z0-9._-]{1,64}$/.test(wanted.name)) throw new Refusal(INVALID_ARGUMENT, 'Invalid name');
      if (wanted.timeoutSecs > 86_400) throw new Refusal(INVALID_ARGUMENT, 'timeout must be at most 24 hours');
      if (!world.images.has(wanted.imageId))
        throw new Refusal(NOT_FOUND, `Could not find image with ID ${wanted.imageId}`);
      const sandbox = await world.create(wanted, tags as WorldSandbox['tags']);
      if (!sandbox) throw new Refusal(ALREADY_EXISTS, `Sandbox with name ${wanted.name} already exists`);
      return { sandboxId: sandbox.id, taskId: sandbox.taskId, commandRouterAccess: access() };
    },
    SandboxGetFromNameV2: ({ sandboxName, includeTerminated }: Request) => {
      const sandbox = world.named(String(sandboxName));
      if (!sandbox || (sandbox.result !== null && includeTerminated !== true)) {
        throw new Refusal(NOT_FOUND, 'Sandbox not found');
      }
      return { sandboxId: sandbox.id };
    },
    SandboxGetTaskIdV2: ({ sandboxId }: Request) => {
      const { taskId, result } = sandboxOf(site, sandboxId);
      return result ? { taskResult: { ...result, exception: 'The sandbox has ended' } } : { taskId };
    },
    SandboxGetCommandRouterAccess: ({ sandboxId }: Request) => {
      if (sandboxOf(site, sandboxId).result) throw new Refusal(grpc.status.FAILED_PRECONDITION, 'The task has ended');
      return access();
    },
    SandboxWaitV2: async ({ sandboxId, timeout }: Request) => {
      const sandbox = sandboxOf(site, sandboxId);
      await over(sandbox, Number(timeout));
      return sandbox.result ? { result: sandbox.result } : {};
    },
    SandboxTerminateV2: async ({ sandboxId }: Request) => {
      await world.end(sandboxOf(site, sandboxId), status.terminated);
      return {};
    },
    SandboxGetExitSnapshotV2: ({ sandboxId }: Request) => {
      const { result, keepsExit, exitImage } = sandboxOf(site, sandboxId);
      if (!keepsExit) throw new Refusal(INVALID_ARGUMENT, 'Exit snapshots are not enabled');
      if (!result) return { pending: {} };
      if (exitImage === null) return { error: { errorCode: 3, message: 'The files could not be kept' } };
      return { success: { imageId: exitImage } };
    },
  };
}

function tagAnswers(site: Site) {
  return {
    SandboxTagsSetV2: ({ sandboxId, tags }: Request) => {
      sandboxOf(site, sandboxId).tags = tags as WorldSandbox['tags'];
      return {};
    },
    SandboxTagsGetV2: ({ sandboxId }: Request) => ({ tags: sandboxOf(site, sandboxId).tags }),
    SandboxListV2: ({ beforeTimestamp, tags }: Request) => {
      const wanted = tags as WorldSandbox['tags'];
      const found = [...site.world.sandboxes.values()].filter(
        (sandbox) =>
          sandbox.result === null &&
          (Number(beforeTimestamp) === 0 || sandbox.createdAt < Number(beforeTimestamp)) &&
          wanted.every(({ tagName, tagValue }) =>
            sandbox.tags.some((tag) => tag.tagName === tagName && tag.tagValue === tagValue),
          ),
      );
      const sandboxes = found.sort((a, b) => b.createdAt - a.createdAt).slice(0, 2);
      return { sandboxes: sandboxes.map(({ id, createdAt, name, tags: its }) => ({ id, createdAt, name, tags: its })) };
    },
  };
}
