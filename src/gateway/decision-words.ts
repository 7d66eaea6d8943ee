import type { DecisionScope } from '../contracts/conversation.ts';

export interface SpokenDecision {
  readonly decision: 'approve' | 'deny';
  readonly scope: DecisionScope;
}

/** Words that mean one thing only in the languages listed; what is yes in one and no in another is left out. */
const approving = words(`
  y yes yep yeah yup ok okay sure approve approved allow allowed accept accepted go proceed
  ja jo jawohl klar genehmigt erlaubt oui d'accord dacord si sí sì sim claro vale certo sicher
  jep japp jepp jah igen evet áno да хорошо はい 是 是的 好 好的 同意 예 네 ναι نعم हाँ 👍 ✅ ✔ ✔️`);
const denying = words(`
  n no nope nah never deny denied refuse refused reject rejected decline don't dont
  nein nee nö niemals non jamais não nao nunca mai nej nei nie nem hayır нет いいえ 不 否 不行 不同意
  아니요 아니오 όχι لا नहीं 👎 ❌ ✖ ✖️`);
const lasting = new Map<string, DecisionScope>([
  ...entries('always forever immer toujours siempre sempre altijd alltid всегда 总是 いつも 항상', 'always'),
  ...entries('conversation session chat gespräch', 'conversation'),
  ...entries('once einmal diesmal eenmaal', 'once'),
]);
/** Words that carry nothing: "yes, for this conversation please". */
const fillers = words('for this the please bitte merci please, por favor svp in just only');

const longestDecision = 60;

/**
 * Reads a plain yes or no, with how far it reaches ("always", "once", "for this conversation").
 *
 * @returns null for anything that holds another word, contradicts itself or limits a refusal: that is a message.
 */
export function readDecisionWords(text: string): SpokenDecision | null {
  if (text.length > longestDecision) return null;
  const spoken = text
    .normalize('NFC')
    .toLowerCase()
    .replaceAll('’', "'")
    .split(/[\s,;.!。、！，/]+/u)
    .filter((word) => word !== '');
  const decisions = new Set<SpokenDecision['decision']>();
  const scopes = new Set<DecisionScope>();
  for (const word of spoken) {
    const scope = lasting.get(word);
    if (approving.has(word)) decisions.add('approve');
    else if (denying.has(word)) decisions.add('deny');
    else if (scope !== undefined) scopes.add(scope);
    else if (!fillers.has(word)) return null;
  }
  if (decisions.size > 1 || scopes.size > 1) return null;
  const [decision] = decisions;
  const [scope] = scopes;
  // "always" and "once" alone answer the question whether to allow it.
  if (decision === undefined)
    return scope === undefined || scope === 'conversation' ? null : { decision: 'approve', scope };
  if (decision === 'deny' && scope !== undefined && scope !== 'once') return null;
  return { decision, scope: scope ?? 'once' };
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''));
}

function entries(text: string, scope: DecisionScope): [string, DecisionScope][] {
  return text.split(' ').map((word) => [word, scope]);
}
