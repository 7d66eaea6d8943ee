import { discord } from '../../../src/gateway/platforms/discord/descriptor.ts';
import { readEvent } from '../../../src/gateway/platforms/discord/read-event.ts';
import { DiscordServer } from '../../support/platforms/discord-server.ts';
import { discordCast, discordSamples, discordContext } from '../../support/platforms/discord-cast.ts';
import { describePlatform } from './conformance.ts';

describePlatform({
  name: 'discord',
  descriptor: discord,
  server: () => new DiscordServer([discordCast.group, discordCast.thread]),
  cast: discordCast,
  parse: (payload) => readEvent(payload, discordContext),
  samples: discordSamples(),
});
