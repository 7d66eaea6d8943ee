export type Mark = 'bold' | 'italic' | 'strike';

/** Words in one style. */
export interface Run {
  readonly text: string;
  /** In nesting order, outermost first. None with `code`. */
  readonly marks: readonly Mark[];
  readonly code: boolean;
  /** A link is never cut; its words are plain. */
  readonly href: string | null;
}

/** What stands between two line ends of a chat message. Blocks are written one by one and joined by `gap` line feeds. */
export type Block =
  | { readonly kind: 'text'; readonly runs: readonly Run[]; readonly quote: boolean; readonly gap: number }
  | { readonly kind: 'code'; readonly language: string; readonly text: string; readonly gap: number };

export function plainRun(text: string): Run {
  return { text, marks: [], code: false, href: null };
}
