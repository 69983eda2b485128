// Which columns of two rows differ, and where two texts do.

export function changedColumns(before: Record<string, unknown> | undefined, after: Record<string, unknown> | undefined): string[] {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...names].filter((name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]));
}

/** What two texts have in common at both ends, and what differs between. */
export function middle(before: string, after: string): { head: string; before: string; after: string; tail: string } {
  let head = 0;
  const most = Math.min(before.length, after.length);
  while (head < most && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < most - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  return { head: before.slice(0, head), before: before.slice(head, before.length - tail), after: after.slice(head, after.length - tail), tail: before.slice(before.length - tail) };
}

/** A text cut to what is near a change. */
export function near(text: string, side: "end" | "start", most = 60): string {
  if (text.length <= most) return text;
  return side === "end" ? `…${text.slice(-most)}` : `${text.slice(0, most)}…`;
}
