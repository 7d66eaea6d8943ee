/** What a Slack workspace holds, and the Web API's methods over it. */
export interface SlackMessage {
  readonly channel: string;
  readonly ts: string;
  readonly user: string;
  readonly bot: boolean;
  text: string;
  edits: number;
  blocks: readonly Json[];
  attachments: readonly Json[];
  readonly thread?: string;
  readonly metadata?: unknown;
  readonly files: readonly SlackFile[];
}

export interface SlackFile {
  readonly id: string;
  readonly name: string;
  mediaType: string;
  bytes: Buffer;
  readonly subtype?: string;
  /** Where it is shown: channel and message. */
  share: { readonly channel: string; readonly ts: string } | null;
}

export type Json = Readonly<Record<string, unknown>>;
type Answer = Json & { readonly ok: boolean };

export const botUser = 'UHERMES01';
const botId = 'BHERMES01';

export class SlackWorkspace {
  readonly people = new Map<string, string>();
  readonly rooms = new Map<string, string>();
  readonly channels = new Set<string>();
  readonly messages: SlackMessage[] = [];
  readonly files = new Map<string, SlackFile>();
  /** Address of this server, with a slash at the end. */
  base = '';
  private last = Date.now() * 1_000;

  /** The next time stamp: later than every other, microseconds included. */
  ts(): string {
    this.last = Math.max(this.last + 1, Date.now() * 1_000);
    return `${Math.floor(this.last / 1e6)}.${String(this.last % 1e6).padStart(6, '0')}`;
  }

  find(channel: string, ts: string): SlackMessage | undefined {
    return this.messages.find((message) => message.channel === channel && message.ts === ts);
  }

  /** One method of the Web API, with the body's fields as they came. */
  call(method: string, body: URLSearchParams): Answer {
    const at = methods[method];
    return at === undefined ? { ok: false, error: 'unknown_method' } : at(this, argumentsOf(body));
  }

  addFile(name: string, mediaType: string, bytes: Buffer, subtype?: string): SlackFile {
    const id = `F${String(this.files.size + 1).padStart(8, '0')}`;
    const file: SlackFile = { id, name, mediaType, bytes, share: null, ...(subtype === undefined ? {} : { subtype }) };
    this.files.set(id, file);
    return file;
  }

  fileJson(file: SlackFile): Json {
    const url = `${this.base}files-pri/T1-${file.id}/`;
    const shares = file.share === null ? {} : { private: { [file.share.channel]: [{ ts: file.share.ts }] } };
    return {
      id: file.id,
      name: file.name,
      title: file.name,
      mimetype: file.mediaType,
      mode: 'hosted',
      size: file.bytes.length,
      url_private: url,
      url_private_download: `${url}download/${encodeURIComponent(file.name)}`,
      shares,
      ...(file.subtype === undefined ? {} : { subtype: file.subtype }),
    };
  }

  messageJson(message: SlackMessage, withMetadata: boolean): Json {
    return {
      type: 'message',
      user: message.user,
      ts: message.ts,
      text: message.text,
      ...(message.blocks.length === 0 ? {} : { blocks: message.blocks }),
      ...(message.bot ? { bot_id: botId } : {}),
      ...(message.thread === undefined ? {} : { thread_ts: message.thread }),
      ...(message.files.length === 0 ? {} : { files: message.files.map((file) => this.fileJson(file)) }),
      ...(withMetadata && message.metadata !== undefined ? { metadata: message.metadata } : {}),
    };
  }
}

/** Nested values come as JSON in a form's fields. */
function argumentsOf(body: URLSearchParams): Json {
  return Object.fromEntries(
    [...body].map(([name, value]): [string, unknown] => {
      if (!/^[[{]/.test(value) || name === 'text') return [name, value];
      try {
        return [name, JSON.parse(value)];
      } catch {
        return [name, value];
      }
    }),
  );
}

const refuse = (error: string): Answer => ({ ok: false, error });
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);

const methods: Readonly<Record<string, (space: SlackWorkspace, args: Json) => Answer>> = {
  'auth.test': () => ({ ok: true, user: 'hermes', user_id: botUser, bot_id: botId, team: 'Loop', team_id: 'T1' }),
  'chat.postMessage': post,
  'chat.update': update,
  'conversations.history': (space, args) => read(space, args, (message) => message.thread === undefined),
  'conversations.replies': (space, args) =>
    read(space, args, (message) => message.thread === args['ts'] || message.ts === args['ts'], true),
  'conversations.open': (space, args) => {
    const id = space.rooms.get(String(args['users']));
    return id === undefined ? refuse('user_not_found') : { ok: true, channel: { id } };
  },
  'users.info': (space, args) => {
    const name = space.people.get(String(args['user']));
    return name === undefined
      ? refuse('user_not_found')
      : { ok: true, user: { id: args['user'], profile: { display_name: name } } };
  },
  'files.info': (space, args) => {
    const file = space.files.get(String(args['file']));
    return file === undefined ? refuse('file_not_found') : { ok: true, file: space.fileJson(file) };
  },
  'files.getUploadURLExternal': (space, args) => {
    if (!(Number(args['length']) > 0)) return refuse('invalid_arguments');
    const file = space.addFile(String(args['filename']), '', Buffer.alloc(0));
    return { ok: true, file_id: file.id, upload_url: `${space.base}upload/${file.id}?size=${String(args['length'])}` };
  },
  'files.completeUploadExternal': complete,
};

function post(space: SlackWorkspace, args: Json): Answer {
  const channel = space.rooms.get(String(args['channel'])) ?? String(args['channel']);
  if (!space.channels.has(channel)) return refuse('channel_not_found');
  const text = textOf(args['text']);
  if (text === '' && list(args['blocks']).length === 0) return refuse('no_text');
  const wrong = wrongBlocks(args);
  if (wrong !== null) return refuse(wrong);
  const ts = space.ts();
  space.messages.push({
    channel,
    ts,
    user: botUser,
    bot: true,
    text: text.slice(0, 40_000),
    edits: 0,
    blocks: list(args['blocks']),
    attachments: list(args['attachments']),
    files: [],
    metadata: args['metadata'],
    ...(args['thread_ts'] === undefined ? {} : { thread: textOf(args['thread_ts']) }),
  });
  return { ok: true, channel, ts };
}

function update(space: SlackWorkspace, args: Json): Answer {
  const message = space.find(String(args['channel']), String(args['ts']));
  if (message === undefined) return refuse('message_not_found');
  if (!message.bot) return refuse('cant_update_message');
  const text = textOf(args['text']);
  if (text.length > 4_000) return refuse('msg_too_long');
  const wrong = wrongBlocks(args);
  if (wrong !== null) return refuse(wrong);
  message.text = text;
  // What is not named stays.
  if (args['blocks'] !== undefined) message.blocks = list(args['blocks']);
  if (args['attachments'] !== undefined) message.attachments = list(args['attachments']);
  message.edits += 1;
  return { ok: true, channel: message.channel, ts: message.ts, text };
}

/** The limits of blocks that senders run into. */
function wrongBlocks(args: Json): string | null {
  const blocks = [
    ...list(args['blocks']),
    ...list(args['attachments']).flatMap((attachment) => list(attachment['blocks'])),
  ];
  if (blocks.length > 50) return 'invalid_blocks';
  for (const block of blocks) {
    const text = (block['text'] as Json | undefined)?.['text'];
    if (block['type'] === 'section' && (typeof text !== 'string' || text === '' || text.length > 3_000))
      return 'invalid_blocks';
    if (block['type'] !== 'actions') continue;
    const elements = list(block['elements']);
    const ids = new Set(elements.map((element) => element['action_id']));
    const long = elements.some((element) => String((element['text'] as Json)['text']).length > 75);
    if (elements.length === 0 || elements.length > 25 || ids.size < elements.length || long) return 'invalid_blocks';
  }
  return null;
}

function read(space: SlackWorkspace, args: Json, is: (message: SlackMessage) => boolean, oldestFirst = false): Answer {
  const channel = String(args['channel']);
  if (!space.channels.has(channel)) return refuse('channel_not_found');
  const oldest = Number(args['oldest'] ?? 0);
  const inclusive = args['inclusive'] === 'true';
  const all = space.messages
    .filter((message) => message.channel === channel && is(message))
    // The first message of a thread comes whatever was asked for.
    .filter(({ ts }) => Number(ts) > oldest || (inclusive && Number(ts) === oldest) || ts === args['ts'])
    .sort((one, other) => Number(one.ts) - Number(other.ts));
  if (!oldestFirst) all.reverse();
  const start = Number(args['cursor'] ?? 0);
  const end = start + Number(args['limit'] ?? 100);
  const withMetadata = args['include_all_metadata'] === 'true';
  return {
    ok: true,
    messages: all.slice(start, end).map((message) => space.messageJson(message, withMetadata)),
    response_metadata: { next_cursor: end < all.length ? String(end) : '' },
  };
}

/** Shares what was uploaded, a moment later: Slack looks through it first. */
function complete(space: SlackWorkspace, args: Json): Answer {
  const channel = String(args['channel_id']);
  if (!/^[CGDZ]/.test(channel)) return refuse('invalid_arguments');
  if (!space.channels.has(channel)) return refuse('channel_not_found');
  const files = list(args['files']).map(({ id }) => space.files.get(String(id)));
  if (files.length === 0 || files.some((file) => file === undefined || file.bytes.length === 0))
    return refuse('file_not_found');
  const shared = files as SlackFile[];
  const blocks = list(args['blocks']);
  const [first] = blocks;
  setTimeout(() => {
    const ts = space.ts();
    for (const file of shared) file.share = { channel, ts };
    space.messages.push({
      channel,
      ts,
      user: botUser,
      bot: true,
      text: textOf((first?.['text'] as Json | undefined)?.['text']),
      edits: 0,
      blocks,
      attachments: [],
      files: shared,
      ...(args['thread_ts'] === undefined ? {} : { thread: textOf(args['thread_ts']) }),
    });
  }, 80);
  return { ok: true, files: shared.map((file) => space.fileJson(file)) };
}
