import { connect } from 'node:http2';

const service = 'temporal.api.workflowservice.v1.WorkflowService';
const serving = 1;

/**
 * Asks a Temporal server on loopback for its health by the standard gRPC health service, without the SDK: the
 * supervisor must stay small. True when it says SERVING within `limitMs`; false for everything else, never throws.
 */
export function isServing(address: string, limitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const finish = (answer: boolean): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(false), limitMs);
    session.once('error', () => finish(false));
    const request = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('error', () => finish(false));
    request.once('end', () => finish(statusOf(Buffer.concat(chunks)) === serving));
    request.end(healthRequest());
  });
}

/** A gRPC frame (one flag byte, four length bytes) with the message `{ 1: service }`. */
function healthRequest(): Buffer {
  const message = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** Field 1 of the answer `{ 1: status }`; undefined when the answer is empty. */
function statusOf(frame: Buffer): number | undefined {
  return frame.length >= 7 && frame[5] === 0x08 ? frame[6] : undefined;
}
