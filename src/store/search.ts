import type { ConversationSearch, SearchHit } from '../tools/tool-deps.ts';
import type { Database, Sql } from './database.ts';
import { quoted, searchTerms } from './search-terms.ts';

/** What a message's neighbours count, beside its own words. */
const neighbourWeight = 0.5;
const neighboursEachSide = 2;
/**
 * A word that more messages have is common: it tells little apart, and ranking all its messages would take long. It counts
 * where a rarer word of the question is too; a question of common words only looks at the newest messages.
 */
const commonFrom = 2500;
/** Best messages whose surroundings are looked at. */
const anchors = 60;
/** FTS5's own constant; its bm25 of one word never exceeds `idf * (k1 + 1)`. */
const k1 = 1.2;

/**
 * Full-text search over what persons and assistant said. A message is ranked by BM25F: its own words count fully, those
 * of its two neighbours on each side half, and a word's effect is saturated over both.
 */
export function conversationSearch(database: Database): ConversationSearch {
  return {
    search: (query) => database.read((sql) => search(sql, query)),
    load: (query) => database.read((sql) => load(sql, query)),
  };
}

/** How strongly each message shows one word: term frequency over `k1` and length, per message. */
interface TermHits {
  readonly ceiling: number;
  readonly strength: ReadonlyMap<number, number>;
  readonly score: ReadonlyMap<number, number>;
}

function search(sql: Sql, query: Parameters<ConversationSearch['search']>[0]): readonly SearchHit[] {
  const terms = searchTerms(query.text);
  if (terms.length === 0 || query.maxResults < 1) return [];
  const perTerm = termHits(sql, terms, query.personId);

  const scores = new Map<number, number>();
  for (const anchor of bestAlone(perTerm, Math.max(anchors, 3 * query.maxResults))) {
    const around = surroundings(sql, anchor);
    const middle = around.indexOf(anchor);
    // Neighbours are candidates too: the answer often stands beside the message that has the words.
    for (let at = middle - neighboursEachSide; at <= middle + neighboursEachSide; at++) {
      const id = around[at];
      if (id === undefined || scores.has(id)) continue;
      const before = around.slice(Math.max(0, at - neighboursEachSide), at);
      const after = around.slice(at + 1, at + 1 + neighboursEachSide);
      scores.set(id, scoreOf(perTerm, id, [...before, ...after]));
    }
  }
  const best = [...scores].sort(([idA, a], [idB, b]) => b - a || idB - idA).slice(0, query.maxResults);
  const match = terms.map(quoted).join(' OR ');
  return best.flatMap(([id, score]) => hitFrom(sql, { id, score, match, personId: query.personId }));
}

function termHits(sql: Sql, terms: readonly string[], personId: string): readonly TermHits[] {
  const total = count(sql, 'SELECT count(*) AS n FROM MessageSearch_docsize', '');
  const scope = scopeOf(sql, personId);
  const counted = terms.map((term) => {
    const phrase = `{searchLabel text} : ${quoted(term)}`;
    return {
      phrase,
      n: count(sql, 'SELECT count(*) AS n FROM MessageSearch WHERE MessageSearch MATCH :match', phrase),
    };
  });
  const rare = counted.filter(({ n }) => n > 0 && n <= commonFrom).map(({ phrase }) => `(${phrase})`);
  return counted.map(({ phrase, n }) => {
    const own = `${scope}(${phrase})`;
    const match = n > commonFrom && rare.length > 0 ? `${own} AND (${rare.join(' OR ')})` : own;
    const rows = sql.all<{ id: number; score: number }>(
      `SELECT rowid AS id, -rank AS score FROM MessageSearch WHERE MessageSearch MATCH :match
       ORDER BY rowid DESC LIMIT :limit`,
      { match, limit: commonFrom },
    );
    return strengths(rows, total, n);
  });
}

/** Narrows a match to one person's messages; nothing where there is nobody else, since looking costs time. */
function scopeOf(sql: Sql, personId: string): string {
  const others = sql.get(
    `SELECT 1 WHERE EXISTS (SELECT 1 FROM Conversation WHERE personId < :personId)
       OR EXISTS (SELECT 1 FROM Conversation WHERE personId > :personId)`,
    { personId },
  );
  return others === undefined ? '' : `searchScope : "p${Buffer.from(personId, 'utf8').toString('hex')}z" AND `;
}

function strengths(rows: readonly { id: number; score: number }[], total: number, n: number): TermHits {
  const idf = Math.log((total - n + 0.5) / (n + 0.5));
  // FTS5 does the same for a word that more than half of all messages have.
  const ceiling = (idf <= 0 ? 1e-6 : idf) * (k1 + 1);
  return {
    ceiling,
    score: new Map(rows.map(({ id, score }) => [id, score])),
    strength: new Map(rows.map(({ id, score }) => [id, score / Math.max(ceiling - score, ceiling * 1e-6)])),
  };
}

function count(sql: Sql, statement: string, match: string): number {
  return (sql.get<{ n: number }>(statement, { match }) as { n: number }).n;
}

function bestAlone(perTerm: readonly TermHits[], limit: number): readonly number[] {
  const sums = new Map<number, number>();
  for (const { score } of perTerm) for (const [id, own] of score) sums.set(id, (sums.get(id) ?? 0) + own);
  return [...sums]
    .sort(([idA, a], [idB, b]) => b - a || idB - idA)
    .slice(0, limit)
    .map(([id]) => id);
}

function scoreOf(perTerm: readonly TermHits[], id: number, neighbours: readonly number[]): number {
  let sum = 0;
  for (const { ceiling, strength } of perTerm) {
    let all = strength.get(id) ?? 0;
    for (const neighbour of neighbours) all += neighbourWeight * (strength.get(neighbour) ?? 0);
    sum += (ceiling * all) / (1 + all);
  }
  return sum;
}

/** The message and what was said just before and after it, twice as far as neighbours reach, in order. */
function surroundings(sql: Sql, id: number): readonly number[] {
  const place = sql.get<Record<'conversationId' | 'turn' | 'step' | 'slot', string | number>>(
    'SELECT conversationId, turn, step, slot FROM Message WHERE id = :id',
    { id },
  );
  const values = { ...place, limit: 2 * neighboursEachSide };
  const before = sql.all<{ id: number }>(saidBefore, values).map((row) => row.id);
  const after = sql.all<{ id: number }>(saidAfter, values).map((row) => row.id);
  return [...before.reverse(), id, ...after];
}

const said = `FROM Message INDEXED BY Message_said_idx
  WHERE conversationId = :conversationId AND role IN ('user', 'assistant') AND hidden = 0 AND text <> ''`;
const saidBefore = `SELECT id ${said} AND (turn, step, slot) < (:turn, :step, :slot)
  ORDER BY turn DESC, step DESC, slot DESC LIMIT :limit`;
const saidAfter = `SELECT id ${said} AND (turn, step, slot) > (:turn, :step, :slot)
  ORDER BY turn, step, slot LIMIT :limit`;

function hitFrom(sql: Sql, found: { id: number; score: number; match: string; personId: string }): SearchHit[] {
  const row = sql.get<Omit<SearchHit, 'score'> & { head: string }>(
    // The driver binds numbers as floating point, and FTS5 looks up whole ones only.
    `SELECT m.conversationId, c.title, m.createdAt AS at, m.speaker, substr(m.text, 1, 400) AS head,
       (SELECT snippet(MessageSearch, 2, '', '', '…', 48) FROM MessageSearch
        WHERE MessageSearch MATCH :match AND rowid = CAST(:id AS INTEGER)) AS excerpt
     FROM Message m JOIN Conversation c ON c.id = m.conversationId
     WHERE m.id = :id AND c.personId = :personId`,
    { id: found.id, match: found.match, personId: found.personId },
  );
  if (row === undefined) return [];
  const { head, excerpt, ...hit } = row;
  // A message found through its neighbours alone has none of the words.
  const text = (excerpt as string | null) ?? head;
  return [{ ...hit, excerpt: text.replace(/\s+/g, ' ').trim(), score: found.score }];
}

function load(
  sql: Sql,
  query: Parameters<ConversationSearch['load']>[0],
): Awaited<ReturnType<ConversationSearch['load']>> {
  const conversation = sql.get<{ title: string }>(
    'SELECT title FROM Conversation WHERE id = :id AND personId = :personId',
    { id: query.conversationId, personId: query.personId },
  );
  if (conversation === undefined) return null;
  const rows = sql.all<{ createdAt: string; speaker: string; text: string }>(
    `SELECT createdAt, speaker, text FROM Message INDEXED BY Message_said_idx
     WHERE conversationId = :id AND role IN ('user', 'assistant') AND hidden = 0 AND text <> ''
     ORDER BY turn, step, slot`,
    { id: query.conversationId },
  );
  const text = rows.map((row) => `[${row.createdAt.slice(0, 16)}] ${row.speaker}: ${row.text}`).join('\n\n');
  return { title: conversation.title, text: capped(text, query.maxChars), messageCount: rows.length };
}

/** Head and tail are kept: how a talk began and how it ended say most about it. */
function capped(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const cut = `\n\n[… ${text.length - maxChars} characters left out …]\n\n`;
  const room = Math.max(0, maxChars - cut.length);
  const head = Math.ceil(room / 2);
  return text.slice(0, head) + cut + text.slice(text.length - (room - head));
}
