import { safeName, shellQuote } from './run-layout.ts';

export interface InteractiveScriptOptions {
  /** Folder of the run protocol in the environment. */
  readonly root: string;
  readonly sessionKey: string;
  /** Where the session starts, and where it falls back to. */
  readonly defaultCwd: string;
  /** Absolute; bash, or sh where there is none, by default. */
  readonly shell?: string | undefined;
}

/**
 * A script for sh that becomes an interactive shell in a session's directory and with its variables: what a backend
 * runs on a terminal for `openShell`. What is changed in it does not change the session.
 */
export function interactiveScript({ root, sessionKey, defaultCwd, shell }: InteractiveScriptOptions): string {
  const state = shellQuote(`${root}/sessions/${safeName(sessionKey)}/state`);
  return `__h_cwd=${shellQuote(defaultCwd)}
[ ! -r ${state} ] || . ${state}
cd "$__h_cwd" 2>/dev/null || cd ${shellQuote(defaultCwd)} || exit 1
__h_shell=${shellQuote(shell ?? '')}
if [ -z "$__h_shell" ]; then
  for __h_shell in /bin/bash /usr/bin/bash /usr/local/bin/bash; do [ ! -x "$__h_shell" ] || break; done
  [ -x "$__h_shell" ] || __h_shell=$(command -v bash) || __h_shell=/bin/sh
fi
unset __h_cwd
export SHELL="$__h_shell"
exec "$__h_shell" -i
`;
}
