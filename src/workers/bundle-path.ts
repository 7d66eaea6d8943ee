import { fileURLToPath } from 'node:url';

/** Where the build puts the workflow bundle. */
export const bundlePath = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));
