/**
 * Takes everything out of a text that could steer a terminal: escape sequences as a whole (CSI, OSC, DCS and the like,
 * also in their 8-bit form), other control characters, and the invisible marks that reorder or hide text (bidi
 * overrides, tag characters). Line feeds and tabs stay; CRLF becomes a line feed. Pure.
 *
 * Source: ECMA-48; Unicode TR 36 on bidirectional text.
 */
export function stripControls(text: string): string {
  if (!suspicious.test(text)) return text;
  return text.replaceAll('\r\n', '\n').replaceAll(sequences, '').replaceAll(leftovers, '');
}

const suspicious =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/u;

const sequences = new RegExp(
  [
    // CSI: parameters, intermediates, one final byte.
    '(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]',
    // OSC, DCS, SOS, PM, APC: a string up to its terminator (or the end of the line, so that a lost one hides little).
    '(?:\\u001b[\\]PX^_]|[\\u0090\\u0098\\u009d\\u009e\\u009f])[^\\u0007\\u001b\\u009c\\n]*(?:\\u0007|\\u001b\\\\|\\u009c)?',
    // Everything else that begins with ESC: intermediates and a final byte.
    '\\u001b[ -/]*[0-~]',
  ].join('|'),
  'g',
);

const leftovers =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;
