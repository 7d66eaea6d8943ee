import { judgeCommand, judgeRead, judgeWrite } from '../domain/command-policy/judge.ts';
import type { Ask, PolicySurroundings, Verdict } from '../domain/command-policy/verdict.ts';
import type { PlanContext, ToolPlan } from './define-tool.ts';
import type { ToolSettings } from './tool-deps.ts';

export type Judge = (surroundings: PolicySurroundings) => Verdict;

export const judgeOf = {
  command:
    (command: string): Judge =>
    (surroundings) =>
      judgeCommand(command, surroundings),
  write:
    (path: string): Judge =>
    (surroundings) =>
      judgeWrite(path, surroundings),
  read:
    (path: string): Judge =>
    (surroundings) =>
      judgeRead(path, surroundings),
};

export function surroundingsOf(settings: ToolSettings, cwd?: string): PolicySurroundings {
  return {
    ...(cwd === undefined ? {} : { cwd }),
    ...(settings.homeFolder === undefined ? {} : { home: settings.homeFolder }),
    ...(settings.hermesHome === undefined ? {} : { hermesHome: settings.hermesHome }),
  };
}

/** What a verdict adds to a plan: nothing, a refusal, or a question the person's rules do not already answer. */
export async function policyOf(
  call: { readonly tool: string; readonly title: string; readonly verdict: Verdict },
  context: PlanContext,
): Promise<Pick<ToolPlan, 'blocked' | 'approval'>> {
  const { verdict } = call;
  if (verdict.decision === 'allow') return {};
  if (verdict.decision === 'block') return { blocked: `it ${verdict.reason}.` };
  if (context.deps.settings.approvals === 'off') return {};
  const open = await notAllowed(call.tool, verdict.asks, context);
  if (open.length === 0) return {};
  const reason = `It ${open.map((ask) => ask.reason).join('; it ')}.`;
  if (context.deps.settings.approvals === 'deny') {
    return { blocked: `${reason} The settings refuse what would need the person's agreement.` };
  }
  return { approval: { title: call.title, reason, ruleKey: jointKey(open) } };
}

/** Several reasons are remembered together when the person says "always" to the line that has them all. */
function jointKey(asks: readonly Ask[]): string {
  return asks
    .map((ask) => ask.ruleKey)
    .sort()
    .join(' + ');
}

async function notAllowed(tool: string, asks: readonly Ask[], context: PlanContext): Promise<readonly Ask[]> {
  const { personId, conversationId } = context;
  const allows = (ruleKey: string): Promise<boolean> =>
    context.deps.rules.allows({ personId, conversationId, tool, ruleKey });
  const open: Ask[] = [];
  for (const ask of asks) if (!(await allows(ask.ruleKey))) open.push(ask);
  return open.length > 1 && (await allows(jointKey(open))) ? [] : open;
}

/**
 * Judges once more when the call runs and the real directory or path is known.
 *
 * @returns what the model reads instead of an effect, or null when nothing new speaks against it.
 */
export function newObjection(
  judge: Judge,
  settings: ToolSettings,
  real: { cwd?: string; judge?: Judge },
): string | null {
  const planned = judge(surroundingsOf(settings));
  const now = (real.judge ?? judge)(surroundingsOf(settings, real.cwd));
  if (now.decision === 'block') return `Refused, and no one can allow it: it ${now.reason}.`;
  if (now.decision !== 'ask' || settings.approvals === 'off') return null;
  const agreed = planned.decision === 'ask' ? planned.asks.map((ask) => ask.ruleKey) : [];
  const open = now.asks.filter((ask) => !agreed.includes(ask.ruleKey));
  if (open.length === 0) return null;
  const reasons = open.map((ask) => ask.reason).join('; it ');
  const place = real.cwd === undefined ? '' : ` in ${real.cwd}`;
  return `Not done: seen${place}, it ${reasons}. Write the paths in full, so that the person can be asked.`;
}
