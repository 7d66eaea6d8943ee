/** Build step: bundles the workflows once, so that no worker has to at its start. `node dist/workers/bundle.js` */
import { writeFile } from 'node:fs/promises';
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import { bundlePath } from './bundle-path.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Entry of the workflow code: compiled where this runs compiled, sources otherwise. */
function workflowsPath(): string {
  const compiled = here('../workflows/index.js');
  return existsSync(compiled) ? compiled : here('../workflows/index.ts');
}

/** @returns JavaScript for `Worker.create({ workflowBundle: { code } })`. Throws when workflow code imports what it may not. */
export async function bundleWorkflows(): Promise<string> {
  const quiet = { trace: none, debug: none, info: none, warn: console.warn, error: console.error, log: none };
  const { code } = await bundleWorkflowCode({
    workflowsPath: workflowsPath(),
    logger: quiet,
    webpackConfigHook: (config) => ({
      ...config,
      resolve: { ...config.resolve, extensionAlias: { '.ts': ['.ts'], '.js': ['.js', '.ts'] } },
    }),
  });
  return code;
}

function none(): void {
  // The bundler's progress is of no use to a person.
}

// Loaded by a worker this file must do nothing by itself: bundling costs two seconds and a hundred megabytes.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await writeFile(bundlePath, await bundleWorkflows());
}
