import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSseParser } from '../../../src/models/sse.ts';
import { createThinkSplitter } from '../../../src/models/think-blocks.ts';

/** `text` cut at the given places. */
function cut(text: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [...at, text.length].map((end, index) => text.slice(index === 0 ? 0 : at[index - 1], end));
}

function parse(chunks: readonly Uint8Array[]): { data: string; complete: boolean }[] {
  const seen: { data: string; complete: boolean }[] = [];
  const parser = createSseParser((data, complete) => seen.push({ data, complete }));
  for (const chunk of chunks) parser.push(chunk);
  parser.end();
  return seen;
}

describe('an event stream', () => {
  const stream =
    ': hello\n\nevent: x\ndata: {"a":"grüße 😀"}\r\n\r\nid: 1\ndata:two\ndata: lines\n\n\n\ndata: last\n\n';
  const expected = ['{"a":"grüße 😀"}', 'two\nlines', 'last'];

  it('gives the same events however its bytes are cut', () => {
    const bytes = Buffer.from(stream);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (places) => {
        const at = [0, ...places, bytes.length].sort((a, b) => a - b);
        const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
        expect(parse(chunks).map((event) => event.data)).toEqual(expected);
      }),
    );
  });

  it('marks an event that is not closed', () => {
    expect(parse([Buffer.from('data: whole\n\ndata: ha')])).toEqual([
      { data: 'whole', complete: true },
      { data: 'ha', complete: false },
    ]);
  });
});

describe('reasoning written into the answer', () => {
  function split(pieces: readonly string[]): { answer: string; reasoning: string } {
    const heard = { answer: '', reasoning: '' };
    const splitter = createThinkSplitter((channel, text) => (heard[channel] += text));
    for (const piece of pieces) splitter.push(piece);
    splitter.end();
    return heard;
  }

  it.each([
    ['plain text', { answer: 'plain text', reasoning: '' }],
    ['  indented', { answer: '  indented', reasoning: '' }],
    ['<think>why</think>answer', { answer: 'answer', reasoning: 'why' }],
    ['\n<think>\nwhy\n</think>\n\nanswer', { answer: 'answer', reasoning: '\nwhy\n' }],
    ['<Thinking>why</THINKING>answer', { answer: 'answer', reasoning: 'why' }],
    ['<think>a</think><think>b</think>c', { answer: 'c', reasoning: 'ab' }],
    ['<think>never closed', { answer: '', reasoning: 'never closed' }],
    ['<think>a < b </thin', { answer: '', reasoning: 'a < b </thin' }],
    ['Use <think>x</think> tags', { answer: 'Use <think>x</think> tags', reasoning: '' }],
    ['<thinker> is a word', { answer: '<thinker> is a word', reasoning: '' }],
    ['<thi', { answer: '<thi', reasoning: '' }],
    ['<b>bold</b>', { answer: '<b>bold</b>', reasoning: '' }],
    ['', { answer: '', reasoning: '' }],
  ])('%j', (text, expected) => {
    expect(split([text])).toEqual(expected);
    fc.assert(
      fc.property(fc.array(fc.nat(60)), (places) => {
        expect(split(cut(text, places))).toEqual(expected);
      }),
    );
  });
});
