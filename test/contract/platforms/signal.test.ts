import { createSignalServer, signalAccount, type SignalServer } from '../../support/platforms/signal-server.ts';
import { signal } from '../../../src/gateway/platforms/signal/descriptor.ts';
import { readEvent } from '../../../src/gateway/platforms/signal/read-event.ts';
import type { PlatformDescriptor } from '../../../src/gateway/platforms/platform.ts';
import { describePlatform } from './conformance.ts';

const anna = { id: 'a11ce000-0000-4000-8000-00000000000a', name: 'Anna' };
const ben = { id: 'be4be4be-0000-4000-8000-00000000000b', name: 'Ben' };
const group = { id: 'Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI=', kind: 'group' as const, title: 'Friends' };

let server: SignalServer;

/** The daemon is told of nothing, so the server learns from the account itself how far it has come. */
const descriptor: PlatformDescriptor = {
  ...signal,
  open: async (account) => {
    const connection = await signal.open(account);
    const run = connection.run.bind(connection);
    connection.run = (inbox, over) => {
      const save = async (values: Readonly<Record<string, string | null>>): Promise<void> => {
        await inbox.save(values);
        server.keptUpTo(values['lastEventId'] ?? '');
      };
      return run({ ...inbox, save }, over);
    };
    return connection;
  },
};

const envelope = (content: object) => ({
  account: signalAccount.number,
  envelope: {
    source: anna.id,
    sourceNumber: '+4915150000002',
    sourceUuid: anna.id,
    sourceName: anna.name,
    sourceDevice: 2,
    timestamp: 1_790_000_000_123,
    serverReceivedTimestamp: 1_790_000_000_200,
    ...content,
  },
});
const groupInfo = { groupId: group.id, groupName: 'Friends', revision: 4, type: 'DELIVER' };

describePlatform({
  name: 'signal',
  descriptor,
  server: () => (server = createSignalServer()),
  cast: {
    anna,
    ben,
    direct: { id: anna.id, kind: 'direct' },
    other: { id: ben.id, kind: 'direct' },
    group,
  },
  parse: (payload) => readEvent(payload, { account: signalAccount.number, uuid: signalAccount.uuid, noteToSelf: true }),
  samples: [
    envelope({ dataMessage: { timestamp: 1_790_000_000_123, message: 'hello', expiresInSeconds: 0 } }),
    envelope({ dataMessage: { timestamp: 1_790_000_000_123, message: '/new now', groupInfo } }),
    envelope({
      dataMessage: {
        message: '\ufffc and \ufffc, look',
        mentions: [
          { name: 'me', ...signalAccount, start: 0, length: 1 },
          { name: 'Ben', number: null, uuid: ben.id, start: 6, length: 1 },
        ],
        textStyles: [{ style: 'BOLD', start: 9, length: 4 }],
        quote: { id: 1, author: ben.id, authorUuid: signalAccount.uuid, text: 'where?', attachments: [] },
        attachments: [{ contentType: 'image/png', filename: 'a.png', id: 'x1.png', size: 12, width: 1, height: 1 }],
        groupInfo,
      },
    }),
    envelope({
      editMessage: { targetSentTimestamp: 1_790_000_000_000, dataMessage: { message: 'better', groupInfo: undefined } },
    }),
    envelope({
      syncMessage: { sentMessage: { destinationUuid: signalAccount.uuid, message: 'a note', timestamp: 5 } },
    }),
  ],
  lacks: { 'wrong-token': 'the daemon asks nobody who they are' },
});
