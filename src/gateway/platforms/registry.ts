import { discord } from './discord/descriptor.ts';
import type { PlatformDescriptor } from './platform.ts';
import { signal } from './signal/descriptor.ts';
import { slack } from './slack/descriptor.ts';
import { telegram } from './telegram/descriptor.ts';
import { whatsAppWeb } from './whatsapp_web/descriptor.ts';
import { whatsapp } from './whatsapp/descriptor.ts';

/** One line for each platform; everything else about it is in its folder. */
export const platforms: readonly PlatformDescriptor[] = [telegram, discord, signal, whatsAppWeb, slack, whatsapp];

/** The descriptor of an account (`telegram`, `telegram/work`); undefined when there is no such platform. */
export function platformOf(accountId: string): PlatformDescriptor | undefined {
  const [id] = accountId.split('/');
  return platforms.find((platform) => platform.id === id);
}
