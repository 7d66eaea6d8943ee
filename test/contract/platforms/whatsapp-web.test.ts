import { whatsAppWeb } from '../../../src/gateway/platforms/whatsapp_web/descriptor.ts';
import { readEvent } from '../../../src/gateway/platforms/whatsapp_web/read-event.ts';
import { paired } from '../../support/platforms/whatsapp-web-phone.ts';
import { createWhatsAppWebServer, type WhatsAppWebServer } from '../../support/platforms/whatsapp-web-server.ts';
import { whatsAppWebSamples } from '../../support/platforms/whatsapp-web-samples.ts';
import { describePlatform } from './conformance.ts';

let server: WhatsAppWebServer | null = null;
const descriptor = paired(whatsAppWeb, (shown) => server?.phoneSees(shown));
const anna = { id: '4915550001', name: 'Anna' };
const ben = { id: '4915550002', name: 'Ben' };

describePlatform({
  name: 'whatsapp_web',
  descriptor,
  server: () => (server = createWhatsAppWebServer()),
  cast: {
    anna,
    ben,
    direct: { id: anna.id, kind: 'direct' },
    other: { id: ben.id, kind: 'direct' },
    group: { id: '120363000000000001@g.us', kind: 'group', title: 'Friends' },
  },
  parse: (payload) =>
    readEvent(payload, { id: '4915550000:1@s.whatsapp.net', lid: '884915550000:1@lid', selfChat: false }),
  samples: whatsAppWebSamples,
  lacks: {
    'file-audio-in': 'sound has no words with it there: whatsapp-web-device.test.ts',
    'wrong-token': 'a device is paired, there is no token to get wrong',
    'fault-refused-token': 'a device that is logged out is paired anew by a person: whatsapp-web-device.test.ts',
  },
});
