import type { Database } from './database.ts';
import type { AllowRuleRepository } from './ports.ts';

export function allowRuleRepository(database: Database): AllowRuleRepository {
  return {
    allows: (rule) =>
      database.read(
        (sql) =>
          sql.get(
            `SELECT 1 FROM AllowRule WHERE personId = :personId AND tool = :tool AND ruleKey = :ruleKey
             AND ifnull(conversationId, '') IN ('', :conversationId)`,
            {
              personId: rule.personId,
              tool: rule.tool,
              ruleKey: rule.ruleKey,
              conversationId: rule.conversationId,
            },
          ) !== undefined,
      ),
    list: (personId) =>
      database.query((prisma) =>
        prisma.allowRule.findMany({
          where: { personId },
          orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
          select: { id: true, tool: true, ruleKey: true, conversationId: true, createdAt: true },
        }),
      ),
    remove: (id) =>
      database.query(async (prisma) => {
        const { count } = await prisma.allowRule.deleteMany({ where: { id } });
        return count > 0;
      }),
  };
}
