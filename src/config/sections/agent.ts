import { amount, text, whole } from '../setting.ts';

export const agent = {
  name: text({ default: 'Hermes', description: 'How the agent calls itself.' }),
  instructions: text({ default: null, lines: true, description: 'Text added to the instructions the model gets.' }),
  maxStepsPerTurn: whole({
    default: 90,
    min: 1,
    max: 10_000,
    description: 'Model calls of one turn, after which it stops and asks.',
  }),
  maxTokensPerTurn: whole({
    default: null,
    min: 1,
    max: 1_000_000_000,
    description: 'Input and output tokens of one turn, after which it stops and asks. Not set: no limit.',
  }),
  maxCostPerTurnUsd: amount({
    default: null,
    min: 0,
    max: 1_000_000,
    description: 'Money for one turn, after which it stops and asks. Not set: no limit.',
  }),
  maxCostPerDayUsd: amount({
    default: null,
    min: 0,
    max: 1_000_000,
    description: 'Money for one day, after which turns stop and ask. Not set: no limit.',
  }),
  maxWallTimeMinutes: amount({
    default: null,
    min: 0.1,
    max: 100_000,
    description: 'Length of one turn, after which it stops and asks. Not set: no limit.',
  }),
} as const;
