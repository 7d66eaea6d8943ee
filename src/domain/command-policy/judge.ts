import { Examiner } from './examine.ts';
import { findRead, findWrite } from './paths.ts';
import { openScope } from './scope.ts';
import { verdictOf, type PolicySurroundings, type Verdict } from './verdict.ts';

/**
 * Says whether a shell line may run by itself, must be agreed to, or never runs.
 * Pure and total: reads nothing, throws nothing, and takes time in proportion to the text.
 * It follows quoting, variables, substitutions, pipes into shells, wrappers and nested scripts; what it cannot follow, it
 * asks about. It is a guard against accidents and common tricks, not a sandbox.
 */
export function judgeCommand(command: string, surroundings: PolicySurroundings = {}): Verdict {
  const examiner = new Examiner();
  examiner.runSource(command, openScope(surroundings), null);
  return verdictOf(examiner.findings);
}

/** Same for a file a tool is about to write, replace or edit. */
export function judgeWrite(path: string, surroundings: PolicySurroundings = {}): Verdict {
  const scope = openScope(surroundings);
  const finding = findWrite(withHome(path, scope.home), scope);
  return verdictOf(finding === null ? [] : [finding]);
}

/** Same for a file a tool is about to read. */
export function judgeRead(path: string, surroundings: PolicySurroundings = {}): Verdict {
  const scope = openScope(surroundings);
  const finding = findRead(withHome(path, scope.home), scope);
  return verdictOf(finding === null ? [] : [finding]);
}

function withHome(path: string, home: string): string {
  return path === '~' || path.startsWith('~/') ? home + path.slice(1) : path;
}
