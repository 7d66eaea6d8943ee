/**
 * Takes a command line apart as a person writes it: words, `'…'`, `"…"` and a backslash before a character. Nothing is
 * expanded and no shell is involved, so what is put in for `{file}` is always one argument.
 *
 * @returns null for a quote that is not closed.
 */
export function commandWords(command: string): readonly string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (let at = 0; at < command.length; at += 1) {
    const character = command.charAt(at);
    if (character === '\\' && quote !== "'" && at + 1 < command.length) {
      at += 1;
      word = (word ?? '') + command.charAt(at);
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote !== '') return null;
  return word === null ? words : [...words, word];
}
