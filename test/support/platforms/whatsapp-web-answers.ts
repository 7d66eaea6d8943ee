import { getBinaryNodeChild, getBinaryNodeChildren, type BinaryNode } from 'baileys';
import type { Bundle, Peer } from './whatsapp-web-peer.ts';
import type { Phone } from './whatsapp-web-phone.ts';

/** What the agent's device has left with the server for those who write to it. */
export interface DeviceKeys {
  registrationId: number;
  identityKey: Uint8Array;
  signedPreKey: Bundle['signedPreKey'] | null;
  readonly preKeys: NonNullable<Bundle['preKey']>[];
}

export interface AnswerDeps {
  readonly phone: Phone;
  readonly keys: DeviceKeys;
  readonly peer: (jid: string) => Peer | undefined;
  readonly members: (group: string) => { readonly title: string; readonly peers: readonly Peer[] } | undefined;
}

/** The content of the answer to a query; empty for everything the tests do not look at. */
export function answerTo(query: BinaryNode, deps: AnswerDeps): BinaryNode[] {
  const [child] = Array.isArray(query.content) ? query.content : [];
  switch (`${query.attrs['xmlns'] ?? ''} ${child?.tag ?? ''}`) {
    case 'encrypt count':
      return [{ tag: 'count', attrs: { value: String(deps.keys.preKeys.length) } }];
    case 'encrypt digest':
      return [{ tag: 'digest', attrs: {} }];
    case 'encrypt key':
      return [list(users(child).flatMap((jid) => deps.peer(jid)?.bundle(jid) ?? []))];
    case 'encrypt registration':
      takeKeys(query, deps.keys);
      return [];
    case 'usync usync':
      return [{ tag: 'usync', attrs: {}, content: [list(lookup(child, deps))] }];
    case 'w:g2 query':
      return group(query.attrs['to'] ?? '', deps);
    case 'w:m media_conn':
      return [
        {
          tag: 'media_conn',
          attrs: { auth: 'an upload token', ttl: '300' },
          content: [{ tag: 'host', attrs: { hostname: 'mmg.whatsapp.net' } }],
        },
      ];
    default:
      return [];
  }
}

function takeKeys(query: BinaryNode, keys: DeviceKeys): void {
  keys.registrationId = number(getBinaryNodeChild(query, 'registration'));
  keys.identityKey = bytes(getBinaryNodeChild(query, 'identity'));
  const signed = getBinaryNodeChild(query, 'skey');
  keys.signedPreKey = { ...preKey(signed), signature: bytes(getBinaryNodeChild(signed, 'signature')) };
  for (const one of getBinaryNodeChildren(getBinaryNodeChild(query, 'list'), 'key')) keys.preKeys.push(preKey(one));
}

/** Devices of people: one phone each. The agent's own number has none but the one that asks. */
function lookup(usync: BinaryNode | undefined, { peer, phone }: AnswerDeps): BinaryNode[] {
  return users(getBinaryNodeChild(usync, 'list')).map((jid) => {
    const person = peer(jid);
    const devices = person === undefined ? [] : [{ tag: 'device', attrs: { id: '0' } }];
    const found: BinaryNode[] = [
      { tag: 'devices', attrs: {}, content: [{ tag: 'device-list', attrs: {}, content: devices }] },
    ];
    if (person !== undefined && !jid.startsWith(phone.number))
      found.push({ tag: 'lid', attrs: { val: person.lidJid } });
    return { tag: 'user', attrs: { jid }, content: found };
  });
}

function group(id: string, { members, phone }: AnswerDeps): BinaryNode[] {
  const found = members(id);
  if (found === undefined) return [{ tag: 'error', attrs: { code: '404', text: 'item-not-found' } }];
  const people = [...found.peers.map(({ lidJid, jid }) => ({ lid: lidJid, jid }))];
  people.push({ lid: `${phone.lid}@lid`, jid: `${phone.number}@s.whatsapp.net` });
  return [
    {
      tag: 'group',
      attrs: { id: id.split('@')[0] ?? '', subject: found.title, addressing_mode: 'lid', creation: '1', s_t: '1' },
      content: people.map(({ lid, jid }) => ({ tag: 'participant', attrs: { jid: lid, phone_number: jid } })),
    },
  ];
}

function users(parent: BinaryNode | undefined): string[] {
  return getBinaryNodeChildren(parent, 'user').map(({ attrs }) => attrs['jid'] ?? '');
}

function list(content: BinaryNode[]): BinaryNode {
  return { tag: 'list', attrs: {}, content };
}

function preKey(node: BinaryNode | undefined): { keyId: number; publicKey: Buffer } {
  const key = bytes(getBinaryNodeChild(node, 'value'));
  return { keyId: number(getBinaryNodeChild(node, 'id')), publicKey: Buffer.concat([Buffer.from([5]), key]) };
}

function bytes(node: BinaryNode | undefined): Buffer {
  return Buffer.from((node?.content as Uint8Array | undefined) ?? []);
}

function number(node: BinaryNode | undefined): number {
  const value = bytes(node);
  return value.length === 0 ? 0 : value.readUIntBE(0, value.length);
}
