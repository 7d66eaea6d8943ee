import type { StreamEvent } from '../../contracts/stream.ts';

type Event<Kind extends StreamEvent['kind']> = Extract<StreamEvent, { kind: Kind }>;

/** What a turn in progress shows: the words of its current step, and what it is doing, in one line. */
export class Preview {
  private readonly maxChars: number;
  private step = 0;
  private attempt = 0;
  private text = '';
  /** The step's words are complete: calls follow. */
  private isSaid = false;
  private doing: { readonly callKey: string; readonly line: string } | null = null;

  /** @param maxChars of a step's text; only its beginning is ever shown. */
  constructor(maxChars: number) {
    this.maxChars = maxChars;
  }

  get chars(): number {
    return this.text.length;
  }

  /** @returns whether there may be something new to see. */
  take(event: StreamEvent): boolean {
    switch (event.kind) {
      case 'step-started':
        this.begin(event);
        return false;
      case 'delta':
        return event.channel === 'answer' && this.grow(event);
      case 'tool-started':
        this.isSaid = true;
        this.doing = { callKey: event.callKey, line: `⏳ ${asCode(event.summary)}` };
        return true;
      case 'tool-finished':
        if (this.doing?.callKey !== event.callKey) return false;
        this.doing = { callKey: '', line: `${event.status === 'ok' ? '✓' : '✗'} ${asCode(event.summary)}` };
        return true;
      case 'asked':
        this.isSaid = true;
        return false;
      default:
        return false;
    }
  }

  /** Markdown; empty while there is nothing to show. */
  show(toolProgress: boolean): string {
    const line = toolProgress && this.doing !== null ? this.doing.line : '';
    return [this.text.trim(), line].filter((part) => part !== '').join('\n\n');
  }

  /** What stays when something else is said below: words that are complete, else a hint that they go on. */
  settle(): string {
    const kept = this.isSaid ? this.text.trim() : '';
    const line = this.doing?.line.replace('⏳', '▸') ?? '';
    const shown = [kept, kept === '' ? line : ''].filter((part) => part !== '').join('\n\n');
    if (this.isSaid) this.text = '';
    this.doing = null;
    return shown === '' ? '⤵️' : shown;
  }

  private begin({ step, attempt }: Pick<Event<'step-started'>, 'step' | 'attempt'>): boolean {
    if (step < this.step || (step === this.step && attempt <= this.attempt)) return false;
    this.step = step;
    this.attempt = attempt;
    this.text = '';
    this.isSaid = false;
    return true;
  }

  private grow(event: Event<'delta'>): boolean {
    // Its beginning went to an earlier process, or got lost.
    if (this.begin(event) && event.seq > 0) this.text = '… ';
    if (event.step !== this.step || event.attempt !== this.attempt || this.isSaid) return false;
    if (this.doing?.callKey === '') this.doing = null;
    if (this.text.length >= this.maxChars) return false;
    this.text += event.text;
    return true;
  }
}

function asCode(summary: string): string {
  const line = summary.replace(/\s+/gu, ' ').replaceAll('`', "'").trim();
  return `\`${line.length <= 120 ? line : `${line.slice(0, 119)}…`}\``;
}
