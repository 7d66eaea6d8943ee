import { describe, expect, it } from 'vitest';
import { messageId } from '../../../../src/gateway/platforms/whatsapp_web/outbound.ts';
import { chatName, jidOf } from '../../../../src/gateway/platforms/whatsapp_web/people.ts';
import { readEvent } from '../../../../src/gateway/platforms/whatsapp_web/read-event.ts';
import { readReference } from '../../../../src/gateway/platforms/whatsapp_web/read-file.ts';

const self = { id: '4915550000:1@s.whatsapp.net', lid: '88:1@lid', selfChat: false };
const said = (key: Record<string, unknown>, message: unknown) => ({
  key: { remoteJid: '491@s.whatsapp.net', fromMe: false, id: '3A01', ...key },
  messageTimestamp: 1790000000,
  message,
});

describe('a message of WhatsApp', () => {
  it('has one key however its chat is addressed, and the other one beside it', () => {
    const byNumber = readEvent(said({}, { conversation: 'x' }), self);
    const hidden = readEvent(
      said({ remoteJid: '77@lid', remoteJidAlt: '491@s.whatsapp.net' }, { conversation: 'x' }),
      self,
    );
    expect(byNumber).toMatchObject({ key: 'msg/491/3A01' });
    expect(hidden).toMatchObject({ key: 'msg/491/3A01', aliases: ['msg/77@lid/3A01'], chat: { id: '491' } });
  });

  it.each(['status@broadcast', '1@newsletter', '5@broadcast'])('in %s is nothing to the agent', (remoteJid) => {
    expect(readEvent(said({ remoteJid }, { conversation: 'x' }), self)).toBeNull();
  });

  it('of the owner counts only in the chat with themselves, and only if it is wanted', () => {
    const own = said({ remoteJid: '4915550000@s.whatsapp.net', fromMe: true }, { conversation: 'note' });
    const other = said({ fromMe: true }, { conversation: 'to a friend' });
    expect(readEvent(own, self)).toBeNull();
    expect(readEvent(own, { ...self, selfChat: true })).toMatchObject({ text: 'note', addressed: true });
    expect(readEvent(other, { ...self, selfChat: true })).toBeNull();
  });

  it('that mentions somebody else keeps the mention and addresses nobody', () => {
    const message = { extendedTextMessage: { text: '@8812 hi', contextInfo: { mentionedJid: ['8812@lid'] } } };
    const event = readEvent(said({ remoteJid: '1@g.us', participant: '491@s.whatsapp.net' }, message), self);
    expect(event).toMatchObject({ text: '@8812 hi', addressed: false });
  });

  it('without text or file is none', () => {
    expect(readEvent(said({}, { reactionMessage: { text: 'x' } }), self)).toBeNull();
  });
});

describe('a file of WhatsApp', () => {
  const key = Buffer.alloc(32).toString('base64');

  it('is fetched by its path on the host of WhatsApp', () => {
    expect(readReference({ media: 'image', path: '/v/t62.1/a?x=1', key })?.path).toBe('/v/t62.1/a?x=1');
  });

  it.each(['//evil.example/a', 'https://evil.example/a', '@evil.example/a', '.evil.example/', '/a b', ''])(
    'is not fetched by %s',
    (path) => {
      expect(readReference({ media: 'image', path, key })).toBeNull();
    },
  );
});

describe('names of WhatsApp', () => {
  it('are the digits of a number where one is known', () => {
    expect(chatName('491:7@s.whatsapp.net')).toBe('491');
    expect(chatName('77:7@lid')).toBe('77@lid');
    expect(jidOf('+4915550001')).toBe('4915550001@s.whatsapp.net');
    expect(jidOf('77777@lid')).toBe('77777@lid');
    expect(jidOf('status@broadcast')).toBeNull();
  });

  it('of a delivery are always the same, and others for other deliveries', () => {
    expect(messageId('turn/1')).toBe(messageId('turn/1'));
    expect(messageId('turn/1')).not.toBe(messageId('turn/2'));
    expect(messageId('turn/1')).toMatch(/^3EB0[0-9A-F]{18}$/);
  });
});
