import type { OutboxChange, OutboxFile, OutboxPart, OutboxRow } from '../../store/outbox-ports.ts';
import type { ApprovalRow } from '../../store/ports.ts';
import { render } from '../format/render.ts';
import { signalStyles } from '../format/signal-styles.ts';
import type { Dialect, PlatformCapabilities } from '../platforms/platform.ts';
import { choicesOf } from './choices.ts';

export type Cut = Required<Pick<OutboxChange, 'parts' | 'buttons' | 'file'>>;

/** Room that a question keeps for the line that says how it was decided. */
const verdictRoom = 120;
/** The least that `render` cuts to. */
const leastMax = 200;

/** Cuts a message into what the platform takes. Pure; done once, its result is kept. */
export function cutMessage(row: OutboxRow, capabilities: PlatformCapabilities, approval: ApprovalRow | null): Cut {
  if (row.kind === 'ask' && approval !== null) return cutQuestion(row, capabilities, approval);
  if (row.file !== null) return cutFile(row.text, row.file, capabilities);
  return { parts: written(row.text, capabilities), buttons: [], file: null };
}

function cutQuestion(row: OutboxRow, capabilities: PlatformCapabilities, approval: ApprovalRow): Cut {
  const { words, buttons } = choicesOf(approval, capabilities.buttons);
  const text = [row.text, words].filter((one) => one !== '').join('\n\n');
  return { parts: written(text, capabilities, verdictRoom), buttons, file: null };
}

function cutFile(text: string, file: OutboxFile, capabilities: PlatformCapabilities): Cut {
  const { sendBytes, captionMax } = capabilities.files;
  if (file.sizeBytes > sendBytes) {
    const sizes = `${sizeWords(file.sizeBytes)}, and this platform takes at most ${sizeWords(sendBytes)}`;
    const said = `${text}\n\nThe file ${file.name} could not be sent: it has ${sizes}.`;
    return { parts: written(said, capabilities), buttons: [], file: null };
  }
  const { dialect, text: limit } = capabilities;
  const captions =
    file.kind !== 'voice' && captionMax >= leastMax ? render(text, { dialect, max: captionMax, unit: limit.unit }) : [];
  const [caption] = captions;
  if (captions.length === 1 && caption !== undefined) return { parts: [filePart(caption)], buttons: [], file };
  return { parts: [filePart(''), ...written(text, capabilities)], buttons: [], file };
}

function filePart(text: string): OutboxPart {
  return { carries: 'file', text, state: 'new' };
}

function written(markdown: string, { dialect, text }: PlatformCapabilities, room = 0): readonly OutboxPart[] {
  const max = Math.max(leastMax, text.max - room);
  return render(markdown, { dialect, max, unit: text.unit }).map((one) => ({
    carries: 'text',
    text: one,
    state: 'new',
  }));
}

/** A part as it may go when the platform refused its formatting: same words, still escaped as the dialect wants it. */
export function withoutFormatting(text: string, dialect: Dialect): string {
  switch (dialect) {
    case 'telegram-html':
      return text.replace(/<[^<>]*>/gu, '');
    case 'slack-mrkdwn':
      return text.replace(/<([^<>|]*)(?:\|([^<>]*))?>/gu, (_all, target: string, label?: string) => label ?? target);
    case 'signal-styles':
      return signalStyles(text).text.replace(/[\\*_~`]/gu, '\\$&');
    case 'discord':
    case 'whatsapp':
    case 'plain':
      return text;
  }
}

/** For people. */
export function sizeWords(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
