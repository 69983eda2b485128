// The command line that a form stands for.

/** A word as a POSIX shell takes it. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `twinloom run FILE --param name=value`, with those parameters that differ from their defaults. */
export function runCommand(path: string, params: Record<string, unknown>, defaults: Record<string, unknown>, server: string): string {
  const given = Object.entries(params).filter(([name, value]) => value !== undefined && JSON.stringify(value) !== JSON.stringify(defaults[name]));
  const flags = given.map(([name, value]) => `--param ${quote(`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)}`);
  return [`twinloom run ${quote(path)}`, ...flags, `--server ${server}`].join(" \\\n  ");
}
