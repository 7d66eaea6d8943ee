/** Marks of emphasis in one paragraph beyond which parsing takes seconds: the parser looks through all for each. */
const mostMarks = 3000;

/** Whether a text would take the Markdown parser long. Nobody writes so; text is then shown as it is. Linear. */
export function isCostly(source: string): boolean {
  let marks = 0;
  let fenced = false;
  for (const line of source.split('\n')) {
    if (/^ {0,3}(?:```|~~~)/.test(line)) fenced = !fenced;
    if (fenced) continue;
    if (line.trim() === '') marks = 0;
    marks += marksIn(line);
    if (marks > mostMarks) return true;
  }
  return false;
}

function marksIn(line: string): number {
  let count = 0;
  for (const character of line) if ('*_~[<>'.includes(character)) count += 1;
  return count;
}
