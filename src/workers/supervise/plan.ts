/**
 * What the supervisor is to keep up. Made by a short-lived process (`make-plan.ts`), because reading the configuration
 * and fetching a Temporal server take memory that a supervisor should not hold for weeks.
 */
export interface Plan {
  readonly temporal: ExternalPlan | EmbeddedPlan;
  /** Worker and gateway as two processes instead of one. */
  readonly split: boolean;
  readonly drainMs: number;
}

/** A server that is not ours to run. */
export interface ExternalPlan {
  readonly kind: 'external';
  readonly address: string;
  readonly namespace: string;
}

export interface EmbeddedPlan {
  readonly kind: 'embedded';
  readonly binary: { readonly path: string; readonly cli: string; readonly server: string };
  readonly namespace: string;
  /** Wanted ports; others are taken when these are in use. */
  readonly port: number;
  readonly uiPort: number;
}

/** What the short-lived process prints as its last line: a plan, or why there is none. */
export type PlanAnswer =
  { readonly ok: true; readonly plan: Plan } | { readonly ok: false; readonly message: string; readonly hint: string };
