import { useMemo } from "react";
import { Link } from "wouter";
import { api, type Schemas } from "../../api/client";
import { useMore } from "../../api/pages";
import { to } from "../../lib/address";
import { mergeGrid } from "../../lib/grid";
import { Grid } from "../../parts/Grid";
import { Code } from "../../ui/Copy";
import { Empty, Loaded } from "../../ui/Notes";

/** Cells of a page of older runs, and of what every change reads again. */
const CELLS = 10_000;
const LIVE_CELLS = 3_000;

/** Runs of a page with about so many cells. A pipeline counts as some steps. */
function runsOf(cells: number, steps: Schemas["StepItem"][], most: number): number {
  const tasks = steps.reduce((sum, { uses }) => sum + (uses.startsWith("pipeline/") ? 8 : 1), 1);
  return Math.max(10, Math.min(most, Math.floor(cells / tasks)));
}

export default function GridTab({ dag }: { dag: Schemas["DagDetail"] }) {
  const path = { dag: dag.name };
  const grid = api.useInfiniteQuery(
    "get",
    "/api/v1/dags/{dag}/grid",
    { params: { path, query: { limit: runsOf(CELLS, dag.steps, 100) } } },
    {
      pageParamName: "before",
      initialPageParam: null as string | null,
      getNextPageParam: (page: Schemas["Grid"]) => page.next_before ?? undefined,
      staleTime: Infinity,
      meta: { still: true },
    },
  );
  const newest = api.useQuery("get", "/api/v1/dags/{dag}/grid", { params: { path, query: { limit: runsOf(LIVE_CELLS, dag.steps, 30) } } }, { enabled: grid.isSuccess });
  const data = useMemo(() => mergeGrid([...(newest.data ? [newest.data] : []), ...(grid.data?.pages ?? [])]), [newest.data, grid.data]);
  const more = useMore(grid);
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
