import { createWhatsAppServer, phoneNumberId } from '../../support/platforms/whatsapp-server.ts';
import { whatsapp } from '../../../src/gateway/platforms/whatsapp/descriptor.ts';
import { readEvents } from '../../../src/gateway/platforms/whatsapp/read-webhook.ts';
import { describePlatform } from './conformance.ts';

const anna = { id: '4915150000002', name: 'Anna' };
const ben = { id: '4915150000003', name: 'Ben' };

const payload = (message: object) => ({
  object: 'whatsapp_business_account',
  entry: [
    {
      id: '102290129340398',
      changes: [
        {
          field: 'messages',
          value: {
            messaging_product: 'whatsapp',
            metadata: { display_phone_number: '15550001111', phone_number_id: phoneNumberId },
            contacts: [{ wa_id: anna.id, profile: { name: anna.name } }],
            messages: [{ from: anna.id, id: 'wamid.HBgLMTU1', timestamp: '1790000000', ...message }],
            statuses: [{ id: 'wamid.HBgLMTU2', status: 'failed', errors: [{ code: 131047, title: 'Re-engagement' }] }],
          },
        },
      ],
    },
  ],
});
const context = { from: '15550001111', id: 'wamid.HBgLMTU0' };
const file = { id: '1234', mime_type: 'image/jpeg', sha256: 'x', caption: 'look' };

describePlatform({
  name: 'whatsapp',
  descriptor: whatsapp,
  server: createWhatsAppServer,
  cast: {
    anna,
    ben,
    direct: { id: anna.id, kind: 'direct' },
    other: { id: ben.id, kind: 'direct' },
    group: { id: 'none', kind: 'group' },
  },
  parse: (value) => readEvents(value, phoneNumberId),
  samples: [
    payload({ type: 'text', text: { body: 'hello' } }),
    payload({ type: 'text', text: { body: '/new now' }, context }),
    payload({ type: 'image', image: file }),
    payload({ type: 'document', document: { ...file, filename: 'notes.pdf', mime_type: 'application/pdf' } }),
    payload({ type: 'audio', audio: { id: '77', mime_type: 'audio/ogg; codecs=opus', voice: true } }),
    payload({ type: 'location', location: { latitude: 52.5, longitude: 13.4, name: 'Here' } }),
    payload({ type: 'contacts', contacts: [{ name: { formatted_name: 'Ben B.' } }] }),
    payload({
      type: 'interactive',
      interactive: { type: 'button_reply', button_reply: { id: '0123456789abcdef:0', title: 'Yes' } },
      context,
    }),
    payload({
      type: 'interactive',
      interactive: { type: 'list_reply', list_reply: { id: '0123456789abcdef:4', title: 'Four', description: 'x' } },
      context,
    }),
    payload({ type: 'button', button: { payload: 'No, thanks', text: 'No, thanks' }, context }),
  ],
  lacks: {
    groups: 'the Cloud API is for one person at a time',
    connection: 'WhatsApp calls the webhook',
    'incoming-edits': 'the Cloud API does not tell of edits',
    'fault-cut': 'what was not read cannot be told from a lost answer: no status proves nothing, and it stays unknown',
  },
});
