import { PortError } from '../../lib/port-error.ts';
import type { InteractiveShell, ScreenOptions } from '../backend.ts';
import { loginLine } from './login-line.ts';
import type { ChannelPool } from './pool.ts';
import { exitOf } from './transport.ts';

/** A screen larger than this is a mistake of whoever asks. */
const largestScreen = 10_000;

/** Runs `script` with sh on a terminal there. Rejects with a PortError. */
export async function openTerminal(
  pool: ChannelPool,
  script: string,
  { columns, rows, term }: Pick<ScreenOptions, 'columns' | 'rows' | 'term'>,
): Promise<InteractiveShell> {
  const size = { cols: sane(columns), rows: sane(rows), width: 0, height: 0 };
  const { channel, connectionClosed } = await pool.exec(loginLine(script), { ...size, term, modes: {} });
  let closed = false;
  const ended = exitOf(channel, connectionClosed).then((code) => (closed ? null : code));
  // A terminal has one stream; a channel has a second one all the same, and it must not fill up.
  channel.stderr.resume();
  return {
    input: channel,
    output: channel,
    ended,
    resize(toColumns, toRows) {
      if (channel.writable) channel.setWindow(sane(toRows), sane(toColumns), 0, 0);
    },
    close() {
      closed = true;
      // The server hangs up the terminal.
      channel.close();
      channel.resume();
    },
  };
}

function sane(cells: number): number {
  if (Number.isInteger(cells) && cells > 0 && cells <= largestScreen) return cells;
  throw new PortError('Terminal.Invalid', `Not a size for a terminal: ${cells}.`);
}
