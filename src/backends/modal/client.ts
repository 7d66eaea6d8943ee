import { ModalClient, type ModalClientParams } from 'modal';
import { PortError } from '../../lib/port-error.ts';
import { createControlConnection } from './control-connection.ts';
import type { ModalSettings } from './options.ts';

export interface ModalConnection {
  readonly sdk: ModalClient;
  /** Lets go of the connection to the server, not of those to sandboxes. The next call opens a new one. */
  close(): void;
}

/**
 * The SDK, set up by the settings alone. Opens no connection. Throws Terminal.Authentication where there is no token,
 * Terminal.Invalid for an address that is none.
 */
export function openModal(settings: ModalSettings): ModalConnection {
  const { tokenId, tokenSecret, serverUrl, environment } = settings;
  if (!tokenId || !tokenSecret) {
    const missing = [
      ...(tokenId ? [] : ['terminal.modal.tokenId']),
      ...(tokenSecret ? [] : ['terminal.modal.tokenSecret']),
    ];
    const message = `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not set. \`modal token new\` makes a token.`;
    throw new PortError('Terminal.Authentication', message);
  }
  if (!/^https?:\/\/[^/]+$/.test(serverUrl) || !URL.canParse(serverUrl)) {
    const message = `terminal.modal.serverUrl must look like https://api.modal.com, not ${serverUrl}.`;
    throw new PortError('Terminal.Invalid', message);
  }
  const control = createControlConnection(serverUrl, settings.idleConnectionMs);
  const params: ModalClientParams = {
    tokenId,
    tokenSecret,
    ...(environment === undefined ? {} : { environment }),
    grpcMiddleware: [control.middleware],
    logLevel: 'error',
    maxThrottleWaitSecs: 20,
  };
  // The SDK takes its address from the process's environment only. A client for another address can be had from a
  // client, but asks that client's own server for its pass: so the first client gets the second address too.
  const first = new ModalClient(params);
  const cpClient = first.ipClient(serverUrl);
  Object.assign(first, { cpClient });
  const sdk = new ModalClient({ ...params, cpClient });
  // What a file of the SDK's own or a variable may have said about these must not matter.
  sdk.profile.serverUrl = serverUrl;
  sdk.profile.environment = environment ?? '';
  sdk.profile.sandboxV2 = true;
  sdk.profile.sandboxChannelIdleTimeoutMs = Math.max(1_000, Math.min(5_000, settings.idleConnectionMs));
  return {
    sdk,
    close: () => {
      control.close();
    },
  };
}
