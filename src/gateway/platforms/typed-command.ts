/** A command as it is typed where a platform has none of its own: `/resume my plans`. Null for any other text. */
export function commandOf(text: string): { readonly name: string; readonly args: string } | null {
  const [, name, args = ''] = /^\/([a-z][a-z0-9_-]{0,31})(?:\s+([^]*))?$/i.exec(text.trim()) ?? [];
  return name === undefined ? null : { name: name.toLowerCase(), args: args.trim() };
}
