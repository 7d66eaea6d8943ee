import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';

type PlaceOf = (key: string) => { readonly where: string; readonly line: number | null };

const neededBy: Readonly<Record<Config['terminal']['backend'], readonly string[]>> = {
  local: [],
  docker: [],
  ssh: ['host'],
  singularity: [],
  modal: ['tokenId', 'tokenSecret'],
  daytona: ['apiKey'],
};

function valueAt(terminal: Config['terminal'], key: string): unknown {
  return (terminal[terminal.backend] as Readonly<Record<string, unknown>>)[key];
}

/** Rules that concern two keys at once. */
export function crossChecks(config: Config, placeOf: PlaceOf): Problem[] {
  const problems: Problem[] = [];
  const add = (kind: 'contradiction' | 'incomplete', key: string, message: string): void => {
    problems.push({ kind, severity: 'error', ...placeOf(key), key, message, suggestion: null });
  };
  const { model, temporal, terminal, api } = config;
  const customUrl = model.baseUrl ?? config.providers.custom?.baseUrl ?? null;
  if (model.provider === 'custom' && customUrl === null) {
    add('incomplete', 'model.provider', 'model.provider custom needs model.baseUrl, the address of its interface');
  }
  if (model.apiKey !== null && model.provider === null && model.baseUrl === null) {
    // No error: it may be written before the provider is, and nothing is sent anywhere meanwhile.
    const message = 'model.apiKey is not used without model.provider, which says whose key it is';
    problems.push({
      kind: 'incomplete',
      severity: 'warning',
      ...placeOf('model.apiKey'),
      key: 'model.apiKey',
      message,
      suggestion: null,
    });
  }
  if (terminal.commandTimeoutMs > terminal.maxCommandTimeoutMs) {
    const limit = String(terminal.maxCommandTimeoutMs);
    add(
      'contradiction',
      'terminal.commandTimeoutMs',
      `terminal.commandTimeoutMs is above terminal.maxCommandTimeoutMs (${limit})`,
    );
  }
  // No errors: the agent works with everything else, and the first command says the same.
  const lacking = neededBy[terminal.backend].filter((key) => valueAt(terminal, key) === null);
  if (lacking.length > 0) {
    const keys = lacking.map((key) => `terminal.${terminal.backend}.${key}`).join(' and ');
    problems.push({
      kind: 'incomplete',
      severity: 'warning',
      ...placeOf('terminal.backend'),
      key: 'terminal.backend',
      message: `terminal.backend ${terminal.backend} needs ${keys}`,
      suggestion: null,
    });
  }
  if ((temporal.tlsCertFile === null) !== (temporal.tlsKeyFile === null)) {
    // Told at the one that stands alone: it has a line.
    const key = temporal.tlsCertFile === null ? 'temporal.tlsKeyFile' : 'temporal.tlsCertFile';
    add('incomplete', key, 'temporal.tlsCertFile and temporal.tlsKeyFile belong together; one of them is not set');
  }
  const ports = [
    ['temporal.port', temporal.port],
    ['temporal.uiPort', temporal.uiPort],
    ['api.port', api.port],
  ] as const;
  for (const [index, [key, port]] of ports.entries()) {
    const other = ports.slice(0, index).find((earlier) => earlier[1] === port && port !== 0);
    if (other !== undefined)
      add('contradiction', key, `${key} and ${other[0]} are both ${port}; each needs a port of its own`);
  }
  return problems;
}
