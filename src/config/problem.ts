type ProblemKind =
  /** The file cannot be read, or others may read what is secret. */
  | 'file'
  | 'syntax'
  | 'unknown-key'
  | 'invalid-value'
  /** Two values exclude each other. */
  | 'contradiction'
  /** A value needs another key that is not set. */
  | 'incomplete'
  /** A secret in config.yaml, or something else in secrets.yaml. */
  | 'misplaced'
  /** The environment holds a stronger value. */
  | 'overridden';

/** One thing wrong with the configuration; everything wrong is reported at once. Never holds a secret's value. */
export interface Problem {
  readonly kind: ProblemKind;
  /** `warning`: the value holds, but something should be put right. */
  readonly severity: 'error' | 'warning';
  /** The file, or `environment`. */
  readonly where: string;
  /** 1-based; null where there is no line. */
  readonly line: number | null;
  /** Dotted key or variable it is about, if one is known. */
  readonly key: string | null;
  readonly message: string;
  /** The key or value that was probably meant. */
  readonly suggestion: string | null;
}

/** One line for people: `config.yaml:4: model.provider: … (did you mean "openai"?)`. */
export function describeProblem(problem: Problem): string {
  const place = problem.line === null ? problem.where : `${problem.where}:${problem.line}`;
  const hint = problem.suggestion === null ? '' : ` (did you mean ${problem.suggestion}?)`;
  return `${place}: ${problem.message}${hint}`;
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === 'error');
}
