/** One thing a person must agree to. */
export interface Ask {
  /** A sentence part for people: what the command would do. */
  readonly reason: string;
  /** Stable generalisation a person understands and "always" remembers, e.g. `git push --force`. */
  readonly ruleKey: string;
}

/** What the policy says of a command or a write. `ask` lists every reason, each once, in order of appearance. */
export type Verdict =
  | { readonly decision: 'allow' }
  | { readonly decision: 'ask'; readonly asks: readonly Ask[] }
  | { readonly decision: 'block'; readonly reason: string };

/** What one rule found in one command. */
export type Finding =
  | { readonly kind: 'ask'; readonly reason: string; readonly ruleKey: string }
  | { readonly kind: 'block'; readonly reason: string };

export function ask(ruleKey: string, reason: string): Finding {
  return { kind: 'ask', reason, ruleKey };
}

export function block(reason: string): Finding {
  return { kind: 'block', reason };
}

/** The worst finding decides; several asks stay apart, so that each can be remembered on its own. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  const asks = new Map<string, Ask>();
  for (const finding of findings) {
    if (finding.kind === 'block') return { decision: 'block', reason: finding.reason };
    if (!asks.has(finding.ruleKey)) asks.set(finding.ruleKey, { reason: finding.reason, ruleKey: finding.ruleKey });
  }
  return asks.size === 0 ? { decision: 'allow' } : { decision: 'ask', asks: [...asks.values()] };
}

/** What the policy may know of the place a command runs in; nothing is looked up. */
export interface PolicySurroundings {
  /** Absolute; absent when unknown. Relative paths then count as inside the working directory. */
  readonly cwd?: string;
  /** Absolute home folder; `/root`, `/home/*` and `/Users/*` count as homes in any case. */
  readonly home?: string;
  /** Absolute home folder of this program; default `<home>/.hermes`. */
  readonly hermesHome?: string;
}
