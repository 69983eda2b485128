import { useCallback, useMemo } from "react";
import { Link } from "wouter";
import { api, type Schemas } from "../../api/client";
import { to } from "../../lib/address";
import { Grid, mergeGrid } from "../../parts/Grid";
import { Code } from "../../ui/Copy";
import { Empty, Loaded } from "../../ui/Notes";

export default function GridTab({ dag }: { dag: Schemas["DagDetail"] }) {
  const grid = api.useInfiniteQuery(
    "get",
    "/api/v1/dags/{dag}/grid",
    { params: { path: { dag: dag.name }, query: { limit: 100 } } },
    {
      pageParamName: "before",
      initialPageParam: null as string | null,
      getNextPageParam: (page: Schemas["Grid"]) => page.next_before ?? undefined,
    },
  );
  const data = useMemo(() => mergeGrid(grid.data?.pages ?? []), [grid.data]);
  const { hasNextPage, isFetching, fetchNextPage } = grid;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  return (
    <Loaded of={grid} rows={8}>
      {() =>
        data.runs.length > 0 ? (
          <Grid data={data} onEnd={more} />
        ) : (
          <Empty title={`${dag.name} has not run yet`}>
            <p>
              <Link className="btn primary" href={to.dag(dag.name, "run")}>
                Run it now
              </Link>
            </p>
            <p>Or from a shell:</p>
            <Code text={`twinloom run ${dag.path} --server ${location.origin}`} label="command" />
          </Empty>
        )
      }
    </Loaded>
  );
}
