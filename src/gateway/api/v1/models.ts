import type { BaseLogger } from 'pino';
import type { ModelList } from '../../../contracts/api.ts';
import { PortError } from '../../../lib/port-error.ts';

/** The name of the agent itself, whichever model it uses. */
export const agentModel = 'hermes';

const freshMs = 60_000;

/** The configured provider's models, asked for at most once a minute. A provider that does not answer offers none. */
export class ModelCatalogue {
  private readonly ask: () => Promise<ModelList>;
  private readonly log: BaseLogger;
  private listing: Promise<readonly string[]> | null = null;
  private askedAt = -Infinity;

  constructor(ask: () => Promise<ModelList>, log: BaseLogger) {
    this.ask = ask;
    this.log = log;
  }

  /** Ids of the form `provider:name`. */
  ids(): Promise<readonly string[]> {
    const now = performance.now();
    if (this.listing === null || now - this.askedAt > freshMs) {
      this.askedAt = now;
      this.listing = this.list();
    }
    return this.listing;
  }

  async has(id: string): Promise<boolean> {
    return (await this.ids()).includes(id);
  }

  private async list(): Promise<readonly string[]> {
    try {
      return (await this.ask()).models.map((model) => model.id);
    } catch (err) {
      this.listing = null;
      if (!PortError.is(err)) throw err;
      this.log.warn({ err }, 'the models cannot be listed');
      return [];
    }
  }
}

export function modelObject(id: string) {
  return { id, object: 'model', created: 0, owned_by: agentModel };
}
