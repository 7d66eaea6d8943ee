import type { Dialect, PlatformCapabilities } from '../platforms/platform.ts';
import type { Block } from './block.ts';
import { cutBlock, isLongerThan, withoutFirstLink } from './cut.ts';
import { toDocument } from './document.ts';
import { syntaxes, type Syntax } from './syntax.ts';
import { isBlank, writeBlock } from './write.ts';

export interface RenderOptions {
  readonly dialect: Dialect;
  /** Longest part as it is sent, marks and escapes counted; at least 200. */
  readonly max: number;
  readonly unit: PlatformCapabilities['text']['unit'];
}

/** Room for the longest marks around one character. */
const leastMax = 200;

/**
 * Writes what a model wrote in a platform's dialect, in parts the platform takes. A part is valid by itself: code fences,
 * tags and emphasis are closed and opened again. Cut between paragraphs where possible, then lines, sentences, words;
 * never inside a link that fits, an emoji or a tag. Pure; the same input gives the same parts.
 *
 * @returns parts none of which is blank; none at all where there is nothing to see. Never throws for any text.
 * @throws RangeError when `max` is below 200.
 */
export function render(markdown: string, { dialect, max, unit }: RenderOptions): readonly string[] {
  if (max < leastMax) throw new RangeError(`A part of ${String(max)} is too short; at least ${String(leastMax)}.`);
  const syntax = syntaxes[dialect];
  const filling = new Filling(syntax, max, sizes[unit]);
  for (const block of toDocument(markdown, syntax.tableWidth)) filling.add(block);
  return filling.finish();
}

const sizes: Readonly<Record<RenderOptions['unit'], (text: string) => number>> = {
  utf16: (text) => text.length,
  codepoints: (text) => {
    let count = 0;
    for (let at = 0; at < text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) count += 1;
    return count;
  },
  bytes: (text) => Buffer.byteLength(text, 'utf8'),
};

/** A block is cut to fill a part rather than begin the next one when the part would stay emptier than this. */
const leastFilled = 0.4;

class Filling {
  private readonly parts: string[] = [];
  private part = '';
  private used = 0;
  private readonly syntax: Syntax;
  private readonly max: number;
  private readonly size: (text: string) => number;

  constructor(syntax: Syntax, max: number, size: (text: string) => number) {
    this.syntax = syntax;
    this.max = max;
    this.size = size;
  }

  add(block: Block): void {
    let rest: Block | null = block;
    while (rest !== null) rest = this.place(rest);
  }

  finish(): readonly string[] {
    this.endPart();
    return this.parts;
  }

  /** Puts as much as fits into the current part. Returns what is left. */
  private place(block: Block): Block | null {
    const gap = this.part === '' ? 0 : block.gap;
    const room = this.max - this.used - gap;
    // What is longer than the room even without marks need not be written to know that it does not fit.
    if (!isLongerThan(block, 2 * this.max)) {
      const written = writeBlock(block, this.syntax);
      if (written === '') return null;
      const size = this.size(written);
      if (size <= room) {
        this.append(written, size, gap);
        return null;
      }
      if (size <= this.max && this.used >= this.max * leastFilled) return this.retryInNext(block);
    }
    const cut = cutBlock(block, 2 * Math.max(0, room), (head) => this.size(writeBlock(head, this.syntax)) <= room);
    if (cut !== null) {
      const written = writeBlock(cut.head, this.syntax);
      if (written !== '') this.append(written, this.size(written), gap);
      this.endPart();
      return cut.tail;
    }
    if (this.part !== '') return this.retryInNext(block);
    return withoutFirstLink(block) ?? this.unfit(block);
  }

  private retryInNext(block: Block): Block {
    this.endPart();
    return block;
  }

  /** One character always fits into 200 units: this tells a mistake of this file. */
  private unfit(block: Block): never {
    throw new RangeError(`Nothing of a ${block.kind} block fits into ${String(this.max)}.`);
  }

  private append(written: string, size: number, gap: number): void {
    this.part += '\n'.repeat(gap) + written;
    this.used += gap + size;
  }

  private endPart(): void {
    if (!isBlank(this.part)) this.parts.push(this.part);
    this.part = '';
    this.used = 0;
  }
}
