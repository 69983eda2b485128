import { useEffect, useMemo } from "react";
import { gap, overlay } from "../lib/overlay";

interface Page<T> {
  items: T[];
  next_cursor?: string | null | undefined;
}

/** Rows of a list whose pages were read once and whose newest page is read again on every change. */
export function useNewest<T>(pages: Page<T>[], newest: Page<T> | undefined, older: (row: T, last: T) => boolean, again: () => unknown): T[] {
  const before = useMemo(() => pages.flatMap((page) => page.items), [pages]);
  const whole = newest !== undefined && (newest.next_cursor === null || newest.next_cursor === undefined);
  const missing = gap(newest?.items, whole, before, older);
  useEffect(() => {
    if (missing) again();
    // Once for each gap.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [missing]);
  return useMemo(() => overlay(newest?.items, whole, before, older), [newest, whole, before, older]);
}
