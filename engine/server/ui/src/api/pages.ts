// Lists that the server gives page by page.
import { useCallback } from "react";

/** Options of a list whose pages are joined by a cursor. */
export const PAGES = {
  pageParamName: "cursor",
  // Not undefined, for which the client would put a 0.
  initialPageParam: null as string | null,
  getNextPageParam: (page: { next_cursor?: string | null }) => page.next_cursor ?? undefined,
};

/** Asks for the next page, where there is one and nothing is being asked for. */
export function useMore({ hasNextPage, isFetching, fetchNextPage }: { hasNextPage: boolean; isFetching: boolean; fetchNextPage: () => unknown }) {
  return useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
}
