// A long list that is read page by page, with its newest part kept up to date: a change asks for one page and not for all.

/** The newest rows as they are now, then those older ones that were read before; `older` says what lies beyond `last`. */
export function overlay<T>(newest: T[] | undefined, whole: boolean, before: T[], older: (row: T, last: T) => boolean): T[] {
  if (!newest) return before;
  const last = newest.at(-1);
  // With nothing beyond the newest page, what was read before is gone or in it.
  if (whole || last === undefined) return newest;
  return [...newest, ...before.filter((row) => older(row, last))];
}

/** Whether a run was created before another; ids that sort by time decide between equal times. */
export function olderRun(row: { created_at: string; id: string }, last: { created_at: string; id: string }): boolean {
  const [a, b] = [Date.parse(row.created_at), Date.parse(last.created_at)];
  return a < b || (a === b && row.id < last.id);
}

/** Whether so much came that rows between the newest page and what was read before are missing. */
export function gap<T>(newest: T[] | undefined, whole: boolean, before: T[], older: (row: T, last: T) => boolean): boolean {
  const [last, top] = [newest?.at(-1), before[0]];
  return !whole && last !== undefined && top !== undefined && older(top, last);
}
