import { extname } from 'node:path';
import {
  ApplicationCommandOptionType,
  ApplicationCommandType,
  ApplicationIntegrationType,
  ChannelType,
  ComponentType,
  InteractionType,
  MessageFlags,
  MessageReferenceType,
  MessageType,
  type APIAttachment,
  type APIButtonComponentWithCustomId,
  type APIGuildMember,
  type APIInteraction,
  type APIMessage,
  type APIUser,
  type GatewayGuildCreateDispatchData,
} from 'discord-api-types/v10';
import type { TestChat, TestFile, TestPerson } from './platform-server.ts';

export const botUser: APIUser = { ...userOf({ id: '100000000000000001', name: 'hermes' }), bot: true };
export const applicationId = '100000000000000002';
export const guildId = '200000000000000001';

let lastId = 0n;

/** Ids as Discord makes them: the time, and growing. */
export function snowflake(): string {
  const now = BigInt(Date.now() - 1_420_070_400_000) << 22n;
  lastId = now > lastId ? now : lastId + 1n;
  return String(lastId);
}

export function userOf({ id, name }: TestPerson): APIUser {
  return { id, username: name.toLowerCase(), discriminator: '0', global_name: name, avatar: null };
}

export function channelOf(chat: TestChat): string {
  return chat.thread ?? chat.id;
}

/** A message as both the gateway and the REST API give it; in the gateway with `guild_id` and `member` beside it. */
export function messageOf(fields: {
  readonly channel: string;
  readonly author: APIUser;
  readonly content: string;
  readonly attachments?: readonly APIAttachment[];
  readonly mentions?: readonly APIUser[];
  readonly answered?: APIMessage | undefined;
  readonly voice?: boolean;
}): APIMessage {
  const { channel, author, content, attachments = [], mentions = [], answered, voice = false } = fields;
  return {
    id: snowflake(),
    channel_id: channel,
    author,
    content,
    timestamp: new Date().toISOString(),
    edited_timestamp: null,
    tts: false,
    mention_everyone: false,
    mentions: [...mentions],
    mention_roles: [],
    attachments: [...attachments],
    embeds: [],
    components: [],
    pinned: false,
    ...(voice ? { flags: MessageFlags.IsVoiceMessage } : {}),
    type: answered === undefined ? MessageType.Default : MessageType.Reply,
    ...(answered === undefined
      ? {}
      : {
          message_reference: { type: MessageReferenceType.Default, channel_id: channel, message_id: answered.id },
          referenced_message: answered,
        }),
  };
}

/** A message with what the gateway adds to it. */
export function overGateway<T extends object>(chat: TestChat, message: T): T {
  if (chat.kind === 'direct') return { ...message, channel_type: ChannelType.DM };
  const type = chat.thread === undefined ? ChannelType.GuildText : ChannelType.PublicThread;
  return { ...message, guild_id: guildId, member: member(), channel_type: type };
}

export function attachmentOf(origin: string, file: Omit<TestFile, 'kind'>): APIAttachment {
  // As Discord does: other characters give way in the name, and the title keeps them.
  const filename = file.name.replace(/[^\w.-]+/g, '_');
  const id = snowflake();
  return {
    id,
    filename,
    ...(filename === file.name ? {} : { title: file.name.slice(0, -extname(file.name).length || undefined) }),
    size: file.bytes.length,
    url: `${origin}/attachments/${id}/${filename}?ex=1&hm=2`,
    proxy_url: `${origin}/attachments/${id}/${filename}`,
    content_type: file.mediaType,
  };
}

export function commandInteraction(chat: TestChat, from: TestPerson, name: string, args: string): APIInteraction {
  return {
    ...interactionBase(chat, from),
    type: InteractionType.ApplicationCommand,
    data: {
      id: snowflake(),
      name,
      type: ApplicationCommandType.ChatInput,
      options: args === '' ? [] : [{ name: 'text', type: ApplicationCommandOptionType.String, value: args }],
    },
  } as APIInteraction;
}

export function pressInteraction(chat: TestChat, from: TestPerson, message: APIMessage, data: string): APIInteraction {
  return {
    ...interactionBase(chat, from),
    type: InteractionType.MessageComponent,
    message,
    data: { custom_id: data, component_type: ComponentType.Button },
  } as APIInteraction;
}

export function buttonsOf(message: APIMessage): { label: string; data: string }[] {
  return (message.components ?? []).flatMap((row) =>
    row.type === ComponentType.ActionRow
      ? row.components.map((one) => {
          const button = one as APIButtonComponentWithCustomId;
          return { label: button.label ?? '', data: button.custom_id };
        })
      : [],
  );
}

export function guildWith(chats: readonly TestChat[]): GatewayGuildCreateDispatchData {
  const groups = chats.filter((chat) => chat.kind === 'group');
  return {
    id: guildId,
    name: 'A server',
    unavailable: false,
    joined_at: new Date().toISOString(),
    large: false,
    member_count: 3,
    owner_id: botUser.id,
    roles: [],
    emojis: [],
    stickers: [],
    features: [],
    voice_states: [],
    presences: [],
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
    members: [{ ...member(), user: botUser }],
    channels: groups.filter((chat) => chat.thread === undefined).map(channelObject),
    threads: groups.filter((chat) => chat.thread !== undefined).map(channelObject),
  } as unknown as GatewayGuildCreateDispatchData;
}

export function channelObject(chat: TestChat): Record<string, unknown> {
  if (chat.kind === 'direct') return { id: chat.id, type: ChannelType.DM, recipients: [] };
  const name = chat.title ?? 'general';
  if (chat.thread === undefined) {
    return {
      id: chat.id,
      type: ChannelType.GuildText,
      guild_id: guildId,
      name,
      position: 0,
      permission_overwrites: [],
    };
  }
  return {
    id: chat.thread,
    type: ChannelType.PublicThread,
    guild_id: guildId,
    parent_id: chat.id,
    owner_id: botUser.id,
    name,
    thread_metadata: {
      archived: false,
      auto_archive_duration: 1440,
      archive_timestamp: new Date().toISOString(),
      locked: false,
    },
  };
}

function member(): Omit<APIGuildMember, 'user' | 'flags'> & { flags: number } {
  return {
    nick: null,
    roles: [],
    joined_at: new Date(0).toISOString(),
    deaf: false,
    mute: false,
    flags: 0,
  };
}

function interactionBase(chat: TestChat, from: TestPerson): Record<string, unknown> {
  const user = userOf(from);
  return {
    id: snowflake(),
    application_id: applicationId,
    token: `interaction-token-${snowflake()}-${Math.random().toString(36).slice(2)}`,
    version: 1,
    channel_id: channelOf(chat),
    channel: channelObject(chat),
    entitlements: [],
    app_permissions: '0',
    locale: 'en-GB',
    attachment_size_limit: 10 * 1024 * 1024,
    authorizing_integration_owners: { [ApplicationIntegrationType.GuildInstall]: guildId },
    ...(chat.kind === 'direct'
      ? { user, context: 1 }
      : { guild_id: guildId, guild_locale: 'en-GB', context: 0, member: { ...member(), user, permissions: '0' } }),
  };
}
