import { hasLong, hasShort, operands, subcommand, type Call } from './options.ts';
import { ask, type Finding } from './verdict.ts';

const valueOptions = ['-C', '-c', '--git-dir', '--work-tree', '--namespace', '--exec-path', '--config-env'];

/** Git commands that lose work or rewrite what others have. */
export function gitRule(call: Call): Finding[] {
  const [verb = '', ...args] = subcommand(call.args, valueOptions);
  return Object.hasOwn(verbs, verb) ? (verbs[verb]?.(args) ?? []) : [];
}

/** Values of `-c` that git itself runs as commands (`alias.x=!…`, `core.pager=…`). */
export function gitCommands(args: readonly string[]): readonly string[] {
  return args.flatMap((arg, index) => {
    if (args[index - 1] !== '-c') return [];
    const match =
      /^(alias\.[^=]+=!|core\.(?:pager|editor|sshcommand|fsmonitor)=|[^=]*\.(?:command|cmd|textconv|helper)=!?)([\s\S]*)$/i.exec(
        arg,
      );
    return match === null ? [] : [match[2] ?? ''];
  });
}

const verbs: Readonly<Record<string, (args: readonly string[]) => Finding[]>> = {
  push(args) {
    if (hasShort(args, 'n') || hasLong(args, 'dry-run')) return [];
    const refs = operands(args).slice(1);
    const forced = hasShort(args, 'f') || hasLong(args, 'force', 'force-with-lease', 'force-if-includes', 'mirror');
    if (forced || refs.some((ref) => ref.startsWith('+'))) {
      return [ask('git push --force', 'overwrites the history of a remote branch')];
    }
    const deletes = hasShort(args, 'd') || hasLong(args, 'delete', 'prune') || refs.some((ref) => ref.startsWith(':'));
    return deletes ? [ask('git push --delete', 'removes a remote branch or tag')] : [];
  },
  reset: (args) => (hasLong(args, 'hard') ? [ask('git reset --hard', 'throws away uncommitted changes')] : []),
  clean(args) {
    const forced = hasShort(args, 'f') || hasLong(args, 'force');
    const dry = hasShort(args, 'n') || hasLong(args, 'dry-run');
    return forced && !dry ? [ask('git clean -f', 'removes files git does not keep')] : [];
  },
  checkout(args) {
    const all = operands(args).some((path) => path === '.' || path === ':/');
    return all || hasShort(args, 'f') || hasLong(args, 'force')
      ? [ask('git checkout -f', 'throws away uncommitted changes')]
      : [];
  },
  restore(args) {
    const stagedOnly = (hasLong(args, 'staged') || hasShort(args, 'S')) && !hasLong(args, 'worktree');
    const all = operands(args).some((path) => path === '.' || path === ':/');
    return all && !stagedOnly ? [ask('git restore .', 'throws away uncommitted changes')] : [];
  },
  branch: (args) =>
    hasShort(args, 'D') || (hasLong(args, 'delete') && hasLong(args, 'force'))
      ? [ask('git branch -D', 'removes a branch that may not be merged')]
      : [],
  stash: (args) =>
    args[0] === 'drop' || args[0] === 'clear' ? [ask('git stash drop', 'throws away stashed changes')] : [],
  'filter-branch': () => [ask('git filter-branch', 'rewrites history')],
  'filter-repo': () => [ask('git filter-repo', 'rewrites history')],
  reflog: (args) =>
    args[0] === 'expire' || args[0] === 'delete'
      ? [ask('git reflog expire', 'removes the way back to lost commits')]
      : [],
  gc: (args) =>
    args.some((arg) => /^--prune=(?:now|all)/.test(arg))
      ? [ask('git gc --prune', 'removes the way back to lost commits')]
      : [],
  'update-ref': (args) => (hasShort(args, 'd') ? [ask('git update-ref -d', 'removes a branch or tag')] : []),
};
