import { placeOf, shown } from './paths.ts';
import type { Scope } from './scope.ts';
import { ask, block, type Finding } from './verdict.ts';

const spawning =
  /\b(?:os\.system|os\.popen|os\.exec\w*|subprocess|commands\.getoutput|pty\.spawn|child_process|execSync|spawnSync|spawn|exec|system|popen|shell_exec|passthru|qx|do shell script|IO\.popen|Process\.spawn)\b|%x[{(]|`/;
const removing =
  /\b(?:shutil\.rmtree|rmtree|rmSync|rm_rf|rmdirSync|remove_entry|File::Path|remove_tree|unlinkSync|FileUtils\.rm\w*)\b/;
const stringLiteral = /"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g;

/** What the text of a program (python -c, node -e, awk …) would hand to a shell or remove. */
export function findCode(code: string, scope: Scope): { findings: readonly Finding[]; scripts: readonly string[] } {
  const spawns = spawning.test(code);
  const removes = removing.test(code);
  if (!spawns && !removes) return { findings: [], scripts: [] };
  const literals = [...code.matchAll(stringLiteral)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
  const findings = removes ? literals.flatMap((path) => findRemoval(path, scope)) : [];
  // ["rm", "-rf", "/"] is one command in pieces.
  const scripts = spawns ? [...literals.filter((text) => /\s/.test(text)), literals.map(quoted).join(' ')] : [];
  return { findings, scripts: scripts.filter((text) => text.trim() !== '') };
}

function quoted(text: string): string {
  return /\s/.test(text) || text === '' ? "''" : text;
}

function findRemoval(path: string, scope: Scope): Finding[] {
  if (!/^[/~.]/.test(path)) return [];
  switch (placeOf(path, scope)) {
    case 'root':
    case 'system':
    case 'home':
    case 'hermes':
      return [block(`removes ${shown(path)} with everything in it`)];
    case 'outside':
    case 'unknown':
    case 'cwd-itself':
      return [ask('rm -r', `removes ${shown(path)} with everything in it`)];
    case 'inside':
    case 'temporary':
      return [];
  }
}
