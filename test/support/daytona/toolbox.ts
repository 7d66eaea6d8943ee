import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { spawn as spawnPty, type IPty } from '@lydell/node-pty';
import busboy from 'busboy';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Machine } from './machine.ts';
import { readJson, sendJson } from './http.ts';

const boundary = 'DAYTONA-FILE-BOUNDARY';
const defaultTimeoutSeconds = 360;

/** The daemon inside a sandbox, as far as the SDK is used: commands, files, terminals. */
export interface Toolbox {
  serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, url: URL): void;
}

export function createToolbox(machine: Machine): Toolbox {
  const terminals = new Map<string, IPty>();
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => [...offered].find((name) => name.includes('Exit-Control')) ?? false,
  });
  return {
    serve: async (request, response, path) => {
      const route = `${request.method ?? ''} ${path}`;
      const terminal = /^(POST|DELETE) \/process\/pty\/([^/]+)(\/resize)?$/.exec(route);
      if (route === 'POST /process/execute') await execute(machine, await readJson(request), response);
      else if (route === 'POST /files/bulk-upload') await upload(machine, request, response);
      else if (route === 'POST /files/bulk-download') await download(machine, await readJson(request), response);
      else if (route === 'GET /user-home-dir') sendJson(response, 200, { dir: '/root' });
      else if (route === 'GET /work-dir') sendJson(response, 200, { dir: '/root' });
      else if (terminal) await changeTerminal(terminals, terminal, request, response);
      else sendJson(response, 404, { message: `no such endpoint: ${route}`, source: 'DAYTONA_DAEMON' });
    },
    upgrade: (request, socket, head, url) => {
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const offered = request.headers['sec-websocket-protocol'] ?? '';
        openTerminal(machine, terminals, webSocket, { query: url.searchParams, offered });
      });
    },
  };
}

/** Like the daemon: the shell reads the command as its script, one text for both outputs, the whole group is killed. */
async function execute(machine: Machine, body: Record<string, unknown>, response: ServerResponse): Promise<void> {
  const { command, cwd, timeout } = body;
  if (typeof command !== 'string') {
    sendJson(response, 400, { message: 'command is required', source: 'DAYTONA_DAEMON' });
    return;
  }
  const inside = typeof cwd === 'string' ? ['env', '-C', cwd, 'bash'] : ['bash'];
  const child = machine.spawn(inside, { stdio: ['pipe', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (bytes: Buffer) => chunks.push(bytes));
  child.stderr?.on('data', (bytes: Buffer) => chunks.push(bytes));
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(command);
  const limit = { met: false };
  const seconds = typeof timeout === 'number' && timeout > 0 ? timeout : defaultTimeoutSeconds;
  const timer = setTimeout(() => {
    limit.met = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, seconds * 1000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  if (limit.met) {
    const failure = {
      message: 'command execution timeout',
      code: 'PROCESS_EXECUTION_TIMEOUT',
      source: 'DAYTONA_DAEMON',
    };
    sendJson(response, 408, failure);
    return;
  }
  sendJson(response, 200, { exitCode: code ?? -1, result: Buffer.concat(chunks).toString('utf8') });
}

/** A file appears whole: what is cut off leaves nothing. */
const receive = `d=$(dirname "$1"); mkdir -p "$d" || exit 1
t="$d/.daytona-upload-$$"
trap 'rm -f "$t"' EXIT
cat >"$t" && read -r whole <&3 && chmod 644 "$t" && mv -f "$t" "$1"`;

async function upload(machine: Machine, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const places = new Map<string, string>();
  const files: { path: string }[] = [];
  const errors: string[] = [];
  const work: Promise<void>[] = [];
  const inputs: Writable[] = [];
  const parser = busboy({ headers: request.headers, preservePath: true });
  parser.on('field', (name, value) => places.set(name.replace('.path', ''), value.trim()));
  parser.on('file', (name, stream) => {
    const path = places.get(name.replace('.file', ''));
    if (path === undefined) {
      errors.push(`${name}: missing .path metadata`);
      stream.resume();
      return;
    }
    const child = machine.spawn(['sh', '-c', receive, 'receive', path], { stdio: ['pipe', 'ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr?.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const whole = child.stdio[3] as Duplex;
    whole.on('error', () => undefined);
    stream.on('end', () => whole.end('whole\n'));
    stream.on('error', () => whole.destroy());
    child.stdin?.on('error', () => stream.resume());
    if (child.stdin) {
      inputs.push(child.stdin, whole);
      stream.pipe(child.stdin);
    }
    work.push(
      once(child, 'close').then(([code]) => {
        if (code === 0) files.push({ path });
        else errors.push(`${path}: write: ${said.trim()}`);
      }),
    );
  });
  try {
    await pipeline(request, parser);
  } catch (error) {
    errors.push(String(error));
    // What has not come whole ends without its last word.
    for (const input of inputs) input.destroy();
  }
  await Promise.all(work);
  sendJson(response, errors.length === 0 ? 200 : 400, { errors, files });
}

async function download(machine: Machine, body: Record<string, unknown>, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': `multipart/form-data; boundary=${boundary}` });
  for (const path of body['paths'] as string[]) {
    const there = machine.spawn(['test', '-f', path], { stdio: 'ignore' });
    const [code] = (await once(there, 'close')) as [number | null];
    const name = code === 0 ? 'file' : 'error';
    response.write(
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"; filename="${path}"\r\ncontent-type: application/octet-stream\r\n\r\n`,
    );
    if (code === 0) {
      const child = machine.spawn(['cat', path], { stdio: ['ignore', 'pipe', 'ignore'] });
      response.on('close', () => child.kill());
      if (child.stdout) await pipeline(child.stdout, response, { end: false }).catch(() => undefined);
    } else {
      response.write(`file not found or invalid: ${path}`);
    }
    response.write('\r\n');
  }
  response.end(`--${boundary}--\r\n`);
}

function openTerminal(
  machine: Machine,
  terminals: Map<string, IPty>,
  socket: WebSocket,
  { query, offered }: { query: URLSearchParams; offered: string },
): void {
  const id = query.get('id') ?? '';
  const { file, args, env } = machine.command(['bash']);
  const terminal = spawnPty(file, args, {
    cols: Number(query.get('cols') ?? 80),
    rows: Number(query.get('rows') ?? 24),
    env: { ...env, TERM: 'xterm-256color', ...environmentOf(offered) },
    encoding: null,
  });
  terminals.set(id, terminal);
  socket.send(JSON.stringify({ type: 'control', status: 'connected' }));
  terminal.onData((data) => {
    socket.send(Buffer.from(data));
  });
  terminal.onExit(({ exitCode }) => {
    terminals.delete(id);
    socket.send(JSON.stringify({ type: 'control', status: 'exited', exitCode }));
    socket.close(1000, JSON.stringify({ exitCode }));
  });
  socket.on('message', (data) => {
    terminal.write(Buffer.from(data as Buffer).toString());
  });
}

/** The variables travel as one of the subprotocols the client offers. */
function environmentOf(offered: string): Record<string, string> {
  const [, encoded] = /X-Daytona-Pty-Envs~([\w-]+)/.exec(offered) ?? [];
  return encoded === undefined
    ? {}
    : (JSON.parse(Buffer.from(encoded, 'base64url').toString()) as Record<string, string>);
}

async function changeTerminal(
  terminals: Map<string, IPty>,
  [, method, id = '']: RegExpExecArray,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const terminal = terminals.get(id);
  if (!terminal) {
    sendJson(response, 404, { message: 'PTY session not found', source: 'DAYTONA_DAEMON' });
    return;
  }
  if (method === 'DELETE') {
    terminal.kill('SIGKILL');
    terminals.delete(id);
  } else {
    const { cols, rows } = await readJson(request);
    terminal.resize(Number(cols), Number(rows));
  }
  sendJson(response, 200, { id, active: method !== 'DELETE' });
}
