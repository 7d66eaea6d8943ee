const harmless = new Set(['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LANGUAGE', 'TERM', 'TMPDIR', 'SHELL', 'TZ']);

/**
 * What commands see of the service's environment: the harmless variables and those named in `passthrough`, so that
 * a key the service holds never reaches a command by itself. Never what marks the processes of another run.
 */
export function baseEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  passthrough: readonly string[] = [],
): Record<string, string> {
  const wanted = (name: string) => harmless.has(name) || name.startsWith('LC_') || passthrough.includes(name);
  const base: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && wanted(name) && name !== 'HERMES_RUN' && name !== 'HERMES_WATCH') base[name] = value;
  }
  base['PATH'] ??= '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  return base;
}
