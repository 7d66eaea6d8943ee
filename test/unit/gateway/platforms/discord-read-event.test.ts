import { describe, expect, it } from 'vitest';
import { readEvent } from '../../../../src/gateway/platforms/discord/read-event.ts';
import { readVoiceNote } from '../../../../src/gateway/platforms/discord/voice-note.ts';
import { PortError } from '../../../../src/lib/port-error.ts';
import { discordCast as cast, discordContext as context } from '../../../support/platforms/discord-cast.ts';
import { botUser, messageOf, overGateway, userOf } from '../../../support/platforms/discord-objects.ts';
import { oggOpus } from '../../../support/platforms/ogg-opus.ts';

const author = userOf(cast.anna);
const dispatch = (d: object, t = 'MESSAGE_CREATE') => ({ op: 0, s: 1, t, d });
const direct = (fields: object) =>
  readEvent(dispatch({ ...messageOf({ channel: cast.direct.id, author, content: '' }), ...fields }), context);
const inGroup = (fields: object) =>
  readEvent(
    dispatch(overGateway(cast.group, { ...messageOf({ channel: cast.group.id, author, content: '' }), ...fields })),
    context,
  );

describe('a message from Discord', () => {
  it('names the people it mentions, and leaves out the agent', () => {
    const mentions = [botUser, userOf(cast.ben)];
    const content = `<@${botUser.id}> ask <@!${cast.ben.id}> about <@999> , <@${botUser.id}> !`;
    expect(inGroup({ content, mentions })).toMatchObject({ text: 'ask @Ben about <@999> , !', addressed: true });
  });

  it('a mention of everyone is not one of the agent', () => {
    expect(inGroup({ content: '@everyone look', mention_everyone: true })).toMatchObject({ addressed: false });
  });

  it('a mention alone is a message without text; silence among others is none', () => {
    expect(inGroup({ content: `<@${botUser.id}>`, mentions: [botUser] })).toMatchObject({ text: '', addressed: true });
    expect(inGroup({ content: '' })).toBeNull();
  });

  it('what is forwarded is read with its files, which are found again where they hang', () => {
    const message = { content: 'the original', attachments: [{ id: '7', filename: 'a.txt', size: 1 }], flags: 0 };
    expect(direct({ content: '', message_snapshots: [{ message }] })).toMatchObject({
      text: 'the original',
      files: [{ kind: 'document', name: 'a.txt', reference: { channel: cast.direct.id, attachment: '7' } }],
    });
  });

  it('a sticker is told by its name', () => {
    expect(direct({ sticker_items: [{ id: '1', name: 'Wave' }] })).toMatchObject({ text: '(sticker: Wave)' });
  });

  it('a typed command is a command where the agent is addressed', () => {
    expect(direct({ content: '/resume my plans' })).toMatchObject({
      kind: 'command',
      name: 'resume',
      args: 'my plans',
    });
    const mentions = [botUser];
    expect(inGroup({ content: `<@${botUser.id}> /new`, mentions })).toMatchObject({ kind: 'command', name: 'new' });
    expect(inGroup({ content: '/new' })).toMatchObject({ kind: 'message', text: '/new' });
  });

  it('the name in the server goes before the one everywhere', () => {
    const member = { nick: 'Captain' };
    expect(direct({ member, content: 'x' })).toMatchObject({ sender: { name: 'Captain', id: cast.anna.id } });
  });

  it('bots and webhooks are told apart', () => {
    expect(direct({ author: { ...author, bot: true }, content: 'x' })).toMatchObject({ sender: { isBot: true } });
    expect(direct({ webhook_id: '5', content: 'x' })).toMatchObject({ sender: { isBot: true } });
    expect(direct({ content: 'x' })).not.toHaveProperty('sender.isBot');
  });

  it('the agent itself, notices and previews are no events', () => {
    expect(direct({ author: botUser, content: 'x' })).toBeNull();
    expect(direct({ type: 7 })).toBeNull();
    const preview = dispatch({ ...messageOf({ channel: '1', author, content: 'x' }) }, 'MESSAGE_UPDATE');
    expect(readEvent(preview, context)).toBeNull();
    for (const t of ['TYPING_START', 'PRESENCE_UPDATE', 'GUILD_CREATE']) {
      expect(readEvent(dispatch({}, t), context)).toBeNull();
    }
  });

  it('what lacks an id, a sender or a time is said to be unreadable', () => {
    for (const missing of ['id', 'author', 'timestamp', 'channel_id']) {
      expect(PortError.is(direct({ [missing]: undefined }))).toBe(true);
    }
  });
});

describe('a recording', () => {
  it('tells its length without what is skipped at its begin', () => {
    expect(readVoiceNote(oggOpus({ seconds: 7 }))?.seconds).toBeCloseTo(7, 2);
  });

  it('has a picture of at most 256 values', () => {
    const picture = Buffer.from(readVoiceNote(oggOpus({ seconds: 30 }))?.waveform ?? '', 'base64');
    expect(picture.length).toBeGreaterThan(10);
    expect(picture.length).toBeLessThanOrEqual(256);
  });

  it('other bytes, and ones that break off, are none or end in time', () => {
    expect(readVoiceNote(Buffer.from('RIFF....WAVE'))).toBeNull();
    expect(readVoiceNote(Buffer.alloc(0))).toBeNull();
    const whole = oggOpus({ seconds: 2 });
    for (let length = 0; length < whole.length; length += 13) {
      expect(() => readVoiceNote(whole.subarray(0, length))).not.toThrow();
    }
  });
});
