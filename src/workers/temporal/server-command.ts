/** Search attributes of our own; the workflow room writes them, the UI and the API search by them. */
export const searchAttributes = {
  HermesPerson: 'Keyword',
  HermesPlatform: 'Keyword',
  HermesState: 'Keyword',
  HermesTitle: 'Text',
} as const;

/** How an embedded server is to run. Ports are on loopback; without a UI port there is no UI. */
export interface ServerCommandOptions {
  readonly dbFile: string;
  readonly port: number;
  readonly uiPort: number | undefined;
  readonly namespace: string;
  /** More dynamic settings as `key=JSON`, for tests that need small limits. */
  readonly dynamicConfig?: readonly string[];
}

/**
 * Arguments of `temporal` for an embedded server. The three poll rates matter most: the server has one history shard
 * and each of its queues reads at most 20 times a second by default, which idles every hop for up to 50 ms. WAL with
 * synchronous FULL survives a power cut at almost no cost.
 */
export function serverArguments(options: ServerCommandOptions): string[] {
  const dynamicConfig = [
    'history.transferProcessorMaxPollRPS=2000',
    'history.timerProcessorMaxPollRPS=2000',
    'history.visibilityProcessorMaxPollRPS=2000',
    'system.enableActivityEagerExecution=true',
    ...(options.dynamicConfig ?? []),
  ];
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(options.port)],
    ...(options.uiPort === undefined ? ['--headless'] : ['--ui-port', String(options.uiPort)]),
    ...['--db-filename', options.dbFile, '--namespace', options.namespace],
    ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=2'],
    ...['--ui-disable-news-fetch', '--log-level', 'error'],
    ...dynamicConfig.flatMap((value) => ['--dynamic-config-value', value]),
    ...Object.entries(searchAttributes).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
  ];
}

/** Environment of the server: without these limits Go keeps about 50 MB more than it needs. */
export function serverEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, GOMEMLIMIT: '120MiB', GOGC: '50' };
}
