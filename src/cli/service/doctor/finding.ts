/** What one check found. `note`: worth knowing, nothing is broken. `fixed`: was wrong and has been put right. */
export interface Finding {
  readonly name: string;
  readonly state: 'fine' | 'note' | 'wrong' | 'fixed';
  readonly detail: string;
  /** What a person can do. */
  readonly hint?: string;
}

/** What checks share. */
export interface Examination {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** Put right what is safe to put right. */
  readonly fix: boolean;
}

/** One check: real, quick, and never throwing for what it looks for. */
export type Check = (examination: Examination) => Promise<readonly Finding[]> | readonly Finding[];
