import { existsSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { cacheDir } from './state.mjs';

/** Lets newer Nodes keep compiled code of this program, which saves a good part of the command's start. */
export function startFast(root) {
  if (existsSync(cacheDir(root))) module.enableCompileCache?.(join(cacheDir(root), 'compiled'));
}
