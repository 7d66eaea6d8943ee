import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDecisionWords } from '../../../src/gateway/decision-words.ts';

describe('decision words', () => {
  it.each([
    ['yes', 'approve', 'once'],
    ['Y', 'approve', 'once'],
    ['OK!', 'approve', 'once'],
    ['  ja, bitte ', 'approve', 'once'],
    ['oui', 'approve', 'once'],
    ['D’accord.', 'approve', 'once'],
    ['Sí', 'approve', 'once'],
    ['はい。', 'approve', 'once'],
    ['👍', 'approve', 'once'],
    ['always', 'approve', 'always'],
    ['yes, always', 'approve', 'always'],
    ['ja immer', 'approve', 'always'],
    ['once', 'approve', 'once'],
    ['yes for this conversation', 'approve', 'conversation'],
    ['no', 'deny', 'once'],
    ['Nein', 'deny', 'once'],
    ['non merci', 'deny', 'once'],
    ['нет', 'deny', 'once'],
    ['never', 'deny', 'once'],
  ])('reads %j as %s %s', (text, decision, scope) => {
    expect(readDecisionWords(text)).toEqual({ decision, scope });
  });

  it.each([
    '',
    '.',
    'yes no',
    'yes but not that one',
    'no, use npm ci',
    'no always',
    'conversation',
    'please',
    'always once',
    'yesterday',
  ])('takes %j as an ordinary message', (text) => {
    expect(readDecisionWords(text)).toBeNull();
  });

  it('reads nothing into other text, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (noise) => {
        const text = `${noise} zzz`;
        expect(readDecisionWords(text)).toBeNull();
      }),
    );
  });
});
