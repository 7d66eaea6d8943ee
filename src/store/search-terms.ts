/**
 * The words of a question that carry something: what people type to find an old talk is a sentence, and its articles,
 * auxiliaries and question words would match everything. Lower case, each once, in order, at most 12. When nothing else
 * is left, all words count.
 */
export function searchTerms(question: string): readonly string[] {
  const words = [
    ...question
      .normalize('NFKC')
      .toLowerCase()
      .matchAll(/[\p{L}\p{N}\p{M}]+/gu),
  ].map(([word]) => word);
  const carrying = words.filter((word) => !emptyWords.has(word) && !/^[a-z]$/.test(word));
  return [...new Set(carrying.length > 0 ? carrying : words)].slice(0, 12);
}

/** A word as FTS5 takes it literally, whatever is in it. */
export function quoted(term: string): string {
  return `"${term.replaceAll('"', '""')}"`;
}

/** Halves of contractions (`don't` is split into `don` and `t`) are among them. */
const emptyWords: ReadonlySet<string> = new Set(
  `a about again all also am an and any anybody anyone anything are aren as ask asked at back be because been before being
  between both but by can cannot chat conversation could couldn did didn discuss discussed discussion do does doesn doing
  don done each else even ever every find for from get give go going gonna got had hadn has hasn have haven having he hello
  her here hers hey hi him his how i if in into is isn it its just kind know last let like ll look looking lot made make
  many may maybe me mean mention mentioned might mine more most much must my need no not now of off oh ok okay on once one
  only or other our out over own please previous previously re really recall remember remind said same say saying says see
  she should shouldn show so some somebody someone something sort still such sure talk talked talking tell than thank thanks
  that the their them then there these they thing things think this those though through time to told too tried try up us
  use ve very wanna want wanted was wasn way we well were weren what whatever when where which while who whom whose why will
  with won would wouldn yes you your yours`.split(/\s+/),
);
