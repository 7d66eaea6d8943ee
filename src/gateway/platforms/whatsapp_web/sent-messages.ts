import { proto } from 'baileys';
import type { PlatformInbox } from '../platform.ts';

const prefix = 'sent/';
/** A receiver that could not decrypt asks again within seconds to days. */
const kept = 500;

/** What was sent last, so that a receiver that could not decrypt it gets it again, also after a restart. */
export interface SentMessages {
  load(id: string): Promise<proto.IMessage | undefined>;
  /** Durable before it resolves; the oldest give way. */
  save(id: string, message: proto.IMessage): Promise<void>;
}

export async function loadSentMessages(inbox: PlatformInbox): Promise<SentMessages> {
  const names = await inbox.names(prefix);
  const ages = await Promise.all(
    names.map(async (name) => ({ name, at: Number((await inbox.load(name))?.split(':')[0] ?? 0) })),
  );
  const order = ages.sort((a, b) => a.at - b.at).map(({ name }) => name);
  return {
    load: async (id) => {
      const value = await inbox.load(`${prefix}${id}`);
      return value === null ? undefined : proto.Message.decode(Buffer.from(value.split(':')[1] ?? '', 'base64'));
    },
    save: async (id, message) => {
      const name = `${prefix}${id}`;
      const bytes = Buffer.from(proto.Message.encode(proto.Message.fromObject(message)).finish());
      if (!order.includes(name)) order.push(name);
      const old = order.splice(0, Math.max(0, order.length - kept));
      await inbox.save({
        ...Object.fromEntries(old.map((one) => [one, null])),
        [name]: `${Date.now()}:${bytes.toString('base64')}`,
      });
    },
  };
}
