import { constants } from 'node:os';
import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { unary } from './control.ts';
import type { SandboxProcess } from './process.ts';
import { Refusal, type Site } from './server.ts';
import type { WorldSandbox } from './world.ts';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Request = any;

const { NOT_FOUND, OUT_OF_RANGE, UNAUTHENTICATED } = grpc.status;

/** The calls to the machine a sandbox runs on. */
export function routerHandlers(site: Site): Record<string, grpc.UntypedHandleCall> {
  const { world } = site;

  const taskOf = (taskId: unknown): WorldSandbox => {
    const found = [...world.sandboxes.values()].find((sandbox) => sandbox.taskId === taskId);
    if (!found || found.result !== null) throw new Refusal(NOT_FOUND, `Task ${String(taskId)} not found`);
    return found;
  };
  const processOf = ({ taskId, execId }: Request): SandboxProcess => {
    const ended = world.finished.get(String(execId));
    const found = ended ?? taskOf(taskId).processes.get(String(execId));
    if (!found) throw new Refusal(NOT_FOUND, `Exec ${String(execId)} not found`);
    return found;
  };
  const admit = ({ metadata }: { metadata: grpc.Metadata }) => {
    const [, pass = ''] = String(metadata.get('authorization')[0] ?? '').split(' ');
    if (!site.knowsPass(pass)) throw new Refusal(UNAUTHENTICATED, 'Token has expired');
  };

  const answers = {
    TaskExecStart: ({ taskId, execId, commandArgs, workdir, timeoutSecs, ptyInfo }: Request) => {
      world.exec(taskOf(taskId), String(execId), {
        command: commandArgs as string[],
        workdir: String(workdir),
        pty: (ptyInfo as { enabled: boolean } | null)?.enabled === true,
        timeoutMs: Number(timeoutSecs) * 1000,
      });
      return {};
    },
    TaskExecStdinWrite: async (request: Request) => {
      const { offset, data, eof } = request as { offset: number; data: Buffer; eof: boolean };
      if (await processOf(request).write(offset, data, eof)) return {};
      throw new Refusal(OUT_OF_RANGE, 'There is a gap before this offset');
    },
    TaskExecWait: async (request: Request) => {
      const { code, signal } = await processOf(request).exit;
      return signal === null ? { code: code ?? 0 } : { signal: constants.signals[signal] };
    },
    TaskSnapshotFilesystem: async ({ taskId }: Request) => ({ imageId: await world.snapshot(taskOf(taskId)) }),
  };
  const read: grpc.handleServerStreamingCall<Request, { data: Buffer }> = (call) => {
    const stop = new AbortController();
    const stopped = once(stop.signal, 'abort');
    call.on('cancelled', () => {
      stop.abort();
    });
    const send = async () => {
      admit(call);
      const { offset, fileDescriptor } = call.request as { offset: number; fileDescriptor: number };
      const output = processOf(call.request).output[fileDescriptor === 1 ? 1 : 0];
      for await (const data of output.read(offset, stop.signal)) {
        if (!call.write({ data })) await Promise.race([once(call, 'drain'), stopped]);
      }
      call.end();
    };
    send().catch((error: unknown) => {
      call.emit('error', {
        code: error instanceof Refusal ? error.code : grpc.status.INTERNAL,
        details: error instanceof Error ? error.message : String(error),
      });
    });
  };
  return {
    ...Object.fromEntries(
      Object.entries(answers).map(([name, answer]) => [
        name,
        unary(site, name, (request, call) => {
          admit(call);
          return answer(request);
        }),
      ]),
    ),
    TaskExecStdioRead: read as grpc.UntypedHandleCall,
  };
}
