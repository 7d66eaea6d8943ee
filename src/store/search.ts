import type { ConversationSearch, SearchHit } from '../tools/tool-deps.ts';
import type { Database, Sql } from './database.ts';
import { quoted, searchTerms } from './search-terms.ts';

/** What a message's neighbours count, beside its own words. */
const neighbourWeight = 0.5;
const neighboursEachSide = 2;
/** Hits per word that are looked at. A word with more of them tells little apart. */
const hitsPerTerm = 2000;
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
  const scope = `p${Buffer.from(query.personId, 'utf8').toString('hex')}z`;
  const total = (sql.get<{ n: number }>('SELECT count(*) AS n FROM MessageSearch_docsize') as { n: number }).n;
  const perTerm = terms.map((term) => termHits(sql, term, scope, total));

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

function termHits(sql: Sql, term: string, scope: string, total: number): TermHits {
  const phrase = `{searchLabel text} : ${quoted(term)}`;
  const { n } = sql.get<{ n: number }>('SELECT count(*) AS n FROM MessageSearch WHERE MessageSearch MATCH :phrase', {
    phrase,
  }) as { n: number };
  const rows = sql.all<{ id: number; score: number }>(
    `SELECT rowid AS id, -rank AS score FROM MessageSearch WHERE MessageSearch MATCH :match
     ORDER BY rank LIMIT :limit`,
    { match: `searchScope : ${quoted(scope)} AND ${phrase}`, limit: hitsPerTerm },
  );
  const idf = Math.log((total - n + 0.5) / (n + 0.5));
  // FTS5 does the same for a word that more than half of all messages have.
  const ceiling = (idf <= 0 ? 1e-6 : idf) * (k1 + 1);
  return {
    ceiling,
    score: new Map(rows.map(({ id, score }) => [id, score])),
    strength: new Map(rows.map(({ id, score }) => [id, score / Math.max(ceiling - score, ceiling * 1e-6)])),
  };
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
  const values = { id, limit: 2 * neighboursEachSide };
  const near = (side: 'before' | 'after'): number[] =>
    sql.all<{ id: number }>(side === 'before' ? saidBefore : saidAfter, values).map((row) => row.id);
  return [...near('before').reverse(), id, ...near('after')];
}

const said = `n.role IN ('user', 'assistant') AND n.hidden = 0 AND n.text <> ''`;
const saidBefore = `SELECT n.id FROM Message m JOIN Message n INDEXED BY Message_said_idx
  ON n.conversationId = m.conversationId AND (n.turn, n.step, n.slot) < (m.turn, m.step, m.slot) AND ${said}
  WHERE m.id = :id ORDER BY n.turn DESC, n.step DESC, n.slot DESC LIMIT :limit`;
const saidAfter = `SELECT n.id FROM Message m JOIN Message n INDEXED BY Message_said_idx
  ON n.conversationId = m.conversationId AND (n.turn, n.step, n.slot) > (m.turn, m.step, m.slot) AND ${said}
  WHERE m.id = :id ORDER BY n.turn, n.step, n.slot LIMIT :limit`;

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
