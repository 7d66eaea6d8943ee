import { rowsOf } from '../conversation.ts';
import { heard, wordsOf, type Chatter, type Crowd } from './crowd.ts';

/** Something that must hold, and what speaks against it. */
export interface Fact {
  readonly name: string;
  /** Empty when it holds. */
  readonly against: readonly string[];
}

/**
 * Conversations in use are kept in memory with all they have done, some 10 KB for each turn: about 20 MB for 120 of them
 * in two minutes. The rest is what V8 has not cleaned up yet, 20 to 35 MB on a small machine. Their number is limited, so
 * it ends; what leaks with every message (over 10 KB of some 7,000) does not.
 */
const mostGrownMb = 80;

interface Turn {
  readonly id: string;
  readonly state: string;
  readonly answer: string;
  /** In the order they have in the turn. */
  readonly words: readonly string[];
}

/**
 * What must hold once a crowd has written and everything has drained. A service that was killed may have left doubt about
 * a send on platforms that cannot be asked; doubt is then said in the outbox, and nothing else is forgiven.
 */
export function factsOf(crowd: Crowd, { killed }: { readonly killed: boolean }): readonly Fact[] {
  const turns = turnsByChatter(crowd);
  const doubtful = new Set(outboxIn(crowd, 'ambiguous').map(({ id }) => id));
  return [
    {
      name: 'every message is in one turn of its own chat, in the order it was written',
      against: each(crowd, (chatter, index) => taken(chatter, turns[index] ?? [])),
    },
    {
      name: 'every turn is answered, with what was asked in it',
      against: each(crowd, (_chatter, index) => answered(turns[index] ?? [])),
    },
    {
      name: 'every answer is shown once in its own chat, in order, and nothing else is',
      against: each(crowd, (chatter, index) => shown(chatter, turns[index] ?? [], doubtful)),
    },
    { name: 'nothing is left in the outbox', against: leftBehind(crowd, killed) },
    { name: 'no secret of a platform is in the log', against: told(crowd) },
  ];
}

/** Whether memory stays: the second quarter of the time against the last one. */
export function memoryFact(crowd: Crowd): Fact {
  const { early, late } = crowd.memory();
  const says = `from ${early.toFixed(0)} to ${late.toFixed(0)} MB`;
  return {
    name: `the service grows by ${String(mostGrownMb)} MB at most`,
    against: late - early <= mostGrownMb ? [] : [says],
  };
}

function each(crowd: Crowd, check: (chatter: Chatter, index: number) => string | null): readonly string[] {
  return crowd.chatters.flatMap((chatter, index) => {
    const problem = check(chatter, index);
    return problem === null ? [] : [`${chatter.platform.id}, chat ${chatter.chat.id}: ${problem}`];
  });
}

function taken({ said }: Chatter, turns: readonly Turn[]): string | null {
  return difference(
    turns.flatMap(({ words }) => words),
    said,
  );
}

function answered(turns: readonly Turn[]): string | null {
  const wrong = turns.find(({ state, answer, words }) => {
    // What came while the answer was being written is answered by the turn's next step, alone.
    const last = words.slice(-wordsOf(answer).length);
    return state !== 'done' || wordsOf(answer).length === 0 || answer !== heard(last);
  });
  if (wrong === undefined) return null;
  return `${wrong.id} is ${wrong.state}, asked ${wrong.words.join(' ')}, answered "${wrong.answer}"`;
}

function shown({ platform, chat }: Chatter, turns: readonly Turn[], doubtful: ReadonlySet<string>): string | null {
  const seen = platform.server.messages(chat).map(({ text }) => text);
  const certain = turns.filter(({ id }) => !doubtful.has(id));
  const uncertain = new Set(turns.filter(({ id }) => doubtful.has(id)).map(({ answer }) => answer));
  const lives = [...doubtful].filter((id) => turns.some((turn) => id.startsWith(`${turn.id}/live-`))).length;
  // A live message nobody could vouch for may stand above the answer it was to become.
  let spare = lives;
  const sure = seen.filter((text, index) => {
    if (uncertain.delete(text)) return false;
    const isRepeat = seen.indexOf(text) !== index || text === '⤵️' || !certain.some(({ answer }) => answer === text);
    return !isRepeat || (spare -= 1) < 0;
  });
  return difference(
    sure,
    certain.map(({ answer }) => answer),
  );
}

function leftBehind(crowd: Crowd, killed: boolean): readonly string[] {
  const excused = (account: string): boolean =>
    killed && crowd.platforms.some(({ id, descriptor }) => id === account && sendsBlindly(descriptor));
  return [
    ...outboxIn(crowd, 'new', 'sending', 'failed'),
    ...outboxIn(crowd, 'ambiguous').filter(({ account }) => !excused(account)),
  ].map(({ id, account, state, error }) => `${account}, ${id}: ${state} ${error}`);
}

function sendsBlindly({ capabilities }: { readonly capabilities: { readonly sendsOnce: string } }): boolean {
  return capabilities.sendsOnce === 'none';
}

function told(crowd: Crowd): readonly string[] {
  return crowd.platforms.flatMap(({ id, server }) =>
    server
      .secrets()
      .filter((secret) => crowd.one.log.includes(secret))
      .map((_secret, index) => `secret ${String(index + 1)} of ${id}`),
  );
}

/** The first place where two lists are not the same; null when they are. */
function difference(found: readonly string[], expected: readonly string[]): string | null {
  const length = Math.max(found.length, expected.length);
  for (let index = 0; index < length; index += 1) {
    if (found[index] === expected[index]) continue;
    const place = `number ${String(index + 1)} of ${String(expected.length)}`;
    return `${place} is ${found[index] ?? 'missing'} instead of ${expected[index] ?? 'nothing'}`;
  }
  return null;
}

interface OutboxState {
  readonly id: string;
  readonly account: string;
  readonly state: string;
  readonly error: string;
}

function outboxIn(crowd: Crowd, ...states: readonly string[]): readonly OutboxState[] {
  return rowsOf(
    crowd.one,
    `SELECT id, account, state, coalesce(error, '') AS error FROM Outbox
     WHERE state IN (SELECT value FROM json_each(?)) ORDER BY seq`,
    JSON.stringify(states),
  ) as unknown as readonly OutboxState[];
}

/** The turns of everybody's own conversations, oldest first, in the order of the chatters. */
function turnsByChatter(crowd: Crowd): readonly (readonly Turn[])[] {
  const rows = rowsOf(
    crowd.one,
    `SELECT u.account, u.userId, m.conversationId || '/' || m.turn AS id, t.state, coalesce(t.answer, '') AS answer, m.text
     FROM Message m
     JOIN Turn t ON t.conversationId = m.conversationId AND t.turn = m.turn
     JOIN PlatformUser u ON u.personId = m.personId
     WHERE m.role = 'user' ORDER BY m.conversationId, m.turn, m.step, m.slot`,
  );
  const turns = new Map<string, Map<string, Turn>>();
  for (const { account, userId, id, state, answer, text } of rows as readonly Record<string, string>[]) {
    const key = `${account ?? ''} ${userId ?? ''}`;
    const own = turns.get(key) ?? new Map<string, Turn>();
    turns.set(key, own);
    const words = [...(own.get(id ?? '')?.words ?? []), ...wordsOf(text ?? '')];
    own.set(id ?? '', { id: id ?? '', state: state ?? '', answer: answer ?? '', words });
  }
  return crowd.chatters.map(({ platform, person }) => [...(turns.get(`${platform.id} ${person.id}`)?.values() ?? [])]);
}
