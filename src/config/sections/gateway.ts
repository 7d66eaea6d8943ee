import { commonSettings } from '../../gateway/platforms/common-settings.ts';
import type { PlatformSetting, PlatformSettings } from '../../gateway/platforms/platform.ts';
import { platforms } from '../../gateway/platforms/registry.ts';
import { choice, flag, list, secret, text, url, whole, type Setting } from '../setting.ts';

type Keys = Readonly<Record<string, Setting>>;

/** The keys of one account of a platform, by the platform's id. */
export const accountSettings: ReadonlyMap<string, Keys> = new Map(
  platforms.map(({ id, settings }) => [id, { ...keysOf(commonSettings), ...keysOf(settings) }]),
);

const conduct = {
  enabled: flag({ default: true, description: 'Whether the enabled accounts are connected.' }),
  burstPauseMs: whole({
    default: 400,
    min: 0,
    max: 60_000,
    description: 'Messages that follow each other faster than this become one turn.',
  }),
  streaming: choice(['edit', 'off'], {
    default: 'edit',
    description: 'edit: an answer grows in one message that is edited, where the platform can; off: it comes whole.',
  }),
  toolProgress: flag({ default: true, description: 'Shows what the agent is doing in one line while it works.' }),
  publicUrl: url({
    default: null,
    description: 'Address under which platforms reach the webhooks of this service, without a path.',
  }),
} as const;

/** `gateway.<platform>.*`, one group for each platform there is, and a few keys for all of them. */
export const gateway = {
  ...conduct,
  ...Object.fromEntries(accountSettings),
} as typeof conduct & Readonly<Record<string, never>>;

function keysOf(settings: PlatformSettings): Keys {
  return Object.fromEntries(Object.entries(settings).map(([name, one]) => [name, settingOf(one)]));
}

function settingOf(one: PlatformSetting): Setting {
  switch (one.kind) {
    case 'secret':
      return secret({ description: one.description, ...variable(one.env) });
    case 'text':
      return text({ default: one.default, description: one.description, ...variable(one.env) });
    case 'url':
      return url(one);
    case 'list':
      return list(one);
    case 'flag':
      return flag(one);
    case 'whole':
      return whole(one);
    case 'choice':
      return choice(one.choices, one);
  }
}

function variable(name: string | undefined): { env?: readonly string[] } {
  return name === undefined ? {} : { env: [name] };
}
