const key = {
  remoteJid: '774915550001@lid',
  remoteJidAlt: '4915550001@s.whatsapp.net',
  fromMe: false,
  id: '3A0011223344',
};
const group = {
  remoteJid: '120363000000000001@g.us',
  participant: '774915550001@lid',
  participantAlt: '4915550001@s.whatsapp.net',
  fromMe: false,
  id: '3A5566778899',
};
const sealed = {
  directPath: '/v/t62.1/file.enc',
  mediaKey: Buffer.alloc(32, 7).toString('base64'),
  fileLength: '70001',
};

/** Decrypted messages as Baileys hands them on, in JSON; each is an event. */
export const whatsAppWebSamples: readonly unknown[] = [
  { key, messageTimestamp: 1790000000, pushName: 'Anna', message: { conversation: 'good day' } },
  {
    key,
    messageTimestamp: { low: 1790000000, high: 0, unsigned: true },
    message: { conversation: '/status of it all' },
  },
  {
    key: group,
    messageTimestamp: 1790000001,
    pushName: 'Anna',
    message: {
      extendedTextMessage: {
        text: '@884915550000 what time is it?',
        contextInfo: {
          mentionedJid: ['884915550000@lid'],
          participant: '884915550000@lid',
          stanzaId: '3EB0AA',
          quotedMessage: { conversation: 'We go at noon.' },
        },
      },
    },
  },
  {
    key,
    messageTimestamp: 1790000002,
    message: {
      protocolMessage: { type: 14, key: { id: '3A0011223344' }, editedMessage: { conversation: 'better so' } },
    },
  },
  {
    key,
    messageTimestamp: 1790000003,
    message: {
      ephemeralMessage: { message: { imageMessage: { ...sealed, mimetype: 'image/jpeg', caption: 'see here' } } },
    },
  },
  {
    key,
    messageTimestamp: 1790000004,
    message: { audioMessage: { ...sealed, mimetype: 'audio/ogg; codecs=opus', ptt: true } },
  },
  {
    key,
    messageTimestamp: 1790000005,
    message: {
      documentWithCaptionMessage: {
        message: { documentMessage: { ...sealed, mimetype: 'text/plain', fileName: 'notes.txt', caption: 'notes' } },
      },
    },
  },
  {
    key,
    messageTimestamp: 1790000006,
    message: { locationMessage: { degreesLatitude: 52.5, degreesLongitude: 13.4, name: 'Here' } },
  },
  {
    key,
    messageTimestamp: 1790000007,
    message: { contactMessage: { displayName: 'Ben', vcard: 'BEGIN:VCARD\nEND:VCARD' } },
  },
];
