/** The tree a shell line is parsed into: as much of the grammar as deciding about danger needs. */

export type WordPart =
  | { readonly kind: 'text'; readonly text: string; readonly quoted: boolean }
  | {
      readonly kind: 'variable';
      readonly name: string;
      readonly quoted: boolean;
      /** The rest of `${name…}`: operator (`:-`, `#`, `/`, `:` …, `!` for indirection) and raw operand. */
      readonly operator: string;
      readonly operand: Word;
    }
  | { readonly kind: 'substitution'; readonly script: Script; readonly quoted: boolean }
  /** `<(…)` or `>(…)` */
  | { readonly kind: 'process'; readonly script: Script }
  /** `$((…))`; only what is expanded inside matters. */
  | { readonly kind: 'arithmetic'; readonly inner: Word };

export type Word = readonly WordPart[];

export interface Assignment {
  readonly name: string;
  readonly value: Word;
  readonly append: boolean;
}

export interface Redirect {
  readonly operator: string;
  readonly target: Word;
  /** Content of a here-document. */
  readonly body: Word | null;
}

export interface SimpleCommand {
  readonly kind: 'simple';
  readonly assignments: readonly Assignment[];
  readonly words: readonly Word[];
  readonly redirects: readonly Redirect[];
}

/** `( )`, `{ }`, `if`, `while`, `case`; the order of the parts is kept, conditions are not evaluated. */
interface Group {
  readonly kind: 'group';
  readonly scripts: readonly Script[];
  /** Whether its parts may not run. */
  readonly conditional: boolean;
  readonly redirects: readonly Redirect[];
}

interface Loop {
  readonly kind: 'loop';
  readonly variable: string;
  readonly items: readonly Word[];
  readonly body: Script;
  readonly redirects: readonly Redirect[];
}

export interface FunctionDefinition {
  readonly kind: 'function';
  readonly name: string;
  readonly body: Script;
}

export type Command = SimpleCommand | Group | Loop | FunctionDefinition;

export interface Pipeline {
  readonly commands: readonly Command[];
  /** After `&&` or `||`: may not run. */
  readonly conditional: boolean;
  readonly background: boolean;
}

export type Script = readonly Pipeline[];
