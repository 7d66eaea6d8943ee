import { once } from 'node:events';
import { Client, GatewayIntentBits, MessageFlags, Partials, type Interaction, type Message } from 'discord.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discordCast as cast } from '../../support/platforms/discord-cast.ts';
import { botUser } from '../../support/platforms/discord-objects.ts';
import { DiscordServer } from '../../support/platforms/discord-server.ts';

/** The local server against a client that is not ours: what discord.js makes of it must be what was done on it. */
describe('the local Discord server, seen by discord.js', () => {
  let server: DiscordServer;
  let client: Client<true>;

  beforeEach(async () => {
    server = new DiscordServer([cast.group, cast.thread]);
    await server.start();
    const { GuildMessages, Guilds, DirectMessages, MessageContent } = GatewayIntentBits;
    client = new Client<true>({
      intents: [Guilds, GuildMessages, DirectMessages, MessageContent],
      partials: [Partials.Channel],
      rest: { api: server.settings().apiUrl, retries: 0 },
    });
    const ready = once(client, 'clientReady');
    await client.login(server.settings().token);
    await ready;
  });
  afterEach(async () => {
    await client.destroy();
    await server.stop();
  });
  const next = async <T>(event: string): Promise<T> => ((await once(client, event)) as [T])[0];

  it('is a server with a channel and a thread in it', () => {
    expect(client.user.id).toBe(botUser.id);
    const thread = client.channels.cache.get(cast.thread.thread ?? '');
    expect(thread?.isThread() === true && thread.parentId).toBe(cast.group.id);
    expect(client.channels.cache.get(cast.group.id)?.isTextBased()).toBe(true);
  });

  it('brings messages of people, with mentions, files and what they answer', async () => {
    const [first] = await Promise.all([
      next<Message>('messageCreate'),
      server.says({
        chat: cast.group,
        from: cast.anna,
        text: 'look',
        mention: true,
        files: [{ kind: 'image', name: 'a picture.png', mediaType: 'image/png', bytes: Buffer.from('png') }],
      }),
    ]);
    expect(first.mentions.has(client.user)).toBe(true);
    expect(first.author.displayName).toBe('Anna');
    expect(first.guild?.name).toBe('A server');
    const file = first.attachments.first();
    expect(file).toMatchObject({ name: 'a_picture.png', title: 'a picture', contentType: 'image/png', size: 3 });
    expect(await (await fetch(file?.url ?? '')).text()).toBe('png');

    const sent = await first.reply({ content: 'I see', nonce: 'n1', enforceNonce: true });
    expect(server.messages(cast.group)[0]).toMatchObject({ id: sent.id, text: 'I see', replyTo: first.id });
    const again = await first.reply({ content: 'I see', nonce: 'n1', enforceNonce: true });
    expect(again.id).toBe(sent.id);
    await sent.edit('I see it');
    expect(server.messages(cast.group)[0]).toMatchObject({ text: 'I see it', edits: 1 });
  });

  it('brings direct messages, and reads them up', async () => {
    const [message] = await Promise.all([
      next<Message>('messageCreate'),
      server.says({ chat: cast.direct, from: cast.ben, text: 'psst' }),
    ]);
    expect(message.channel.isDMBased()).toBe(true);
    for (const text of ['one', 'two']) await server.says({ chat: cast.direct, from: cast.ben, text });
    const later = await message.channel.messages.fetch({ after: message.id });
    expect(later.map(({ content }) => content)).toEqual(['two', 'one']);
  });

  it('brings commands and presses of buttons, which can be answered once', async () => {
    const [command] = await Promise.all([
      next<Interaction>('interactionCreate'),
      server.command({ chat: cast.direct, from: cast.anna, name: 'status', args: 'of it' }),
    ]);
    if (!command.isChatInputCommand()) throw new Error('not a command');
    expect(command.options.getString('text')).toBe('of it');
    await command.reply({ content: 'here', flags: MessageFlags.Ephemeral });
    await expect(command.reply({ content: 'twice' })).rejects.toThrow();
    expect(server.callbacks).toMatchObject([{ type: 4, flags: 64 }]);
  });

  it('refuses what Discord refuses, with its codes', async () => {
    const channel = await client.channels.fetch(cast.group.id);
    if (channel?.isSendable() !== true) throw new Error('not a channel to write in');
    await expect(channel.send('x'.repeat(2001))).rejects.toMatchObject({ code: 50035, status: 400 });
    server.fail({ kind: 'recipient-gone' });
    await expect(channel.send('hello')).rejects.toMatchObject({ code: 50007, status: 403 });
  });
});
