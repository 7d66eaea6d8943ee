import type { PlatformCapabilities, PlatformDescriptor } from './platform.ts';

/** The page docs/platforms.md, made from the descriptors so that it cannot say anything else. */
export function platformsPage(platforms: readonly PlatformDescriptor[]): string {
  return `${introduction}\n${capabilityTable(platforms)}\n${platforms.map(section).join('\n')}`;
}

const introduction = `# Chat platforms

This page is made from the descriptors in \`src/gateway/platforms\` by \`npm run docs:config\`. Every key of every platform is in
[configuration.md](configuration.md#gateway); how things are done with them is in the [README](../README.md).

What a send that got no answer becomes:

- **shown once**: the platform knows the message by a key of ours, so it is sent again and shown once.
- **looked for**: the chat is read; the message is sent again only where it is not there.
- **uncertain**: the platform tells nothing. The message is not repeated; \`hermes gateway outbox\` lists it, and
  \`hermes gateway outbox retry ID\` sends it again. Answers that grow in a message by edits are not concerned: an edit can be
  repeated.
`;

const units = { utf16: 'characters', codepoints: 'characters', bytes: 'bytes' } as const;
const sends = { native: 'shown once', reconcile: 'looked for', none: 'uncertain' } as const;

function capabilityTable(platforms: readonly PlatformDescriptor[]): string {
  const lines: readonly (readonly [string, (has: PlatformCapabilities) => string])[] = [
    ['Longest message', ({ text }) => `${grouped(text.max)} ${units[text.unit]}`],
    ['An answer grows while it is written', ({ edits }) => (edits ? 'yes' : 'no')],
    ['Buttons', ({ buttons }) => (buttons === 0 ? 'typed choices' : `up to ${String(buttons)}`)],
    ['"is typing"', ({ typingMs }) => (typingMs === null ? 'no' : 'yes')],
    ['Threads', ({ threads }) => (threads ? 'yes' : 'no')],
    ['Slash commands', ({ commands }) => (commands === 'native' ? "in the platform's menu" : 'typed')],
    ['Largest file sent', ({ files }) => megabytes(files.sendBytes)],
    ['Largest file fetched', ({ files }) => megabytes(files.receiveBytes)],
    ['Voice notes', ({ voiceNotes }) => (voiceNotes ? 'yes' : 'no')],
    ['Shortest pause between messages of a chat', ({ paceMs }) => `${String(paceMs.chat / 1000)} s`],
    ['A send that got no answer', ({ sendsOnce }) => sends[sendsOnce]],
  ];
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  const head = row(['', ...platforms.map(({ title }) => title)]) + row(['---', ...platforms.map(() => '---')]);
  return head + lines.map(([name, of]) => row([name, ...platforms.map((one) => of(one.capabilities))])).join('');
}

function section({ id, title, setup, needs }: PlatformDescriptor): string {
  const steps = setup.map(({ text, setting }, index) => {
    const key = setting === undefined ? '' : ` (\`gateway.${id}.${setting}\`)`;
    return `${String(index + 1)}. ${text}${key}\n`;
  });
  const needed = needs.map((key) => `\`gateway.${id}.${key}\``).join(', ');
  return `## ${title}

\`hermes gateway setup ${id}\` asks for these, one after the other, and proves them.

${steps.join('')}
${needed === '' ? '' : `Needed: ${needed}.\n`}`;
}

function megabytes(bytes: number): string {
  return `${String(Math.floor(bytes / 1_000_000))} MB`;
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
