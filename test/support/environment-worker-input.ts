/** What fixture-environment-worker.ts is started with, as JSON. */
export interface WorkerInput {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly databaseFile: string;
  readonly placeRoot: string;
  readonly bundleFile: string;
}
