import { useCallback, useMemo } from "react";
import { api } from "../api/client";
import { useParam } from "../lib/address";
import { RUN_STATES, look } from "../lib/states";
import { runColumns } from "../parts/RunBits";
import { Filter } from "../ui/Filter";
import { Code } from "../ui/Copy";
import { Empty, Loaded } from "../ui/Notes";
import { Table } from "../ui/Table";

const PAGE = 200;

export default function Runs() {
  const [state, setState] = useParam("state");
  const [dag, setDag] = useParam("dag");
  const [q, setQ] = useParam("q");
  const dags = api.useQuery("get", "/api/v1/dags", { params: { query: { runs: 0, limit: 500 } } });
  const runs = useRuns({ state, dag, q });
  const filtered = state !== "" || dag !== "" || q !== "";
  return (
    <>
      <div className="page-head">
        <h1>Runs</h1>
      </div>
      <div className="bar">
        <Filter label="search runs" value={q} onChange={setQ} placeholder="id, parameter, error…" />
        <select className="input" aria-label="state" value={state} onChange={(event) => setState(event.target.value)}>
          <option value="">any state</option>
          {RUN_STATES.map((one) => (
            <option key={one} value={one}>
              {look(one).word}
            </option>
          ))}
        </select>
        <select className="input" aria-label="DAG" value={dag} onChange={(event) => setDag(event.target.value)}>
          <option value="">any DAG</option>
          {(dags.data?.items ?? []).map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <Loaded of={runs} rows={12}>
        {() =>
          runs.rows.length > 0 ? (
            <Table label="runs" rows={runs.rows} columns={runColumns} rowKey={(run) => run.id} onEnd={runs.more} />
          ) : filtered ? (
            <Empty title="No run matches">
              <p>
                <button type="button" className="btn" onClick={() => (setState(""), setDag(""), setQ(""))}>
                  Show all runs
                </button>
              </p>
            </Empty>
          ) : (
            <Empty title="No run yet">
              <p>Open a DAG and press Run, or start one from a shell:</p>
              <Code text={`twinloom run ${dags.data?.items[0]?.path ?? "dags/twin.yaml"} --server ${location.origin}`} label="command" />
            </Empty>
          )
        }
      </Loaded>
    </>
  );
}

/** Runs page by page; live updates read all loaded pages again. */
export function useRuns({ state, dag, q }: { state?: string; dag?: string; q?: string }) {
  const query = api.useInfiniteQuery(
    "get",
    "/api/v1/runs",
    { params: { query: { limit: PAGE, state: state || undefined, dag: dag || undefined, q: q || undefined } } },
    {
      pageParamName: "cursor",
      // Not undefined, for which the client would put a 0.
      initialPageParam: null as string | null,
      getNextPageParam: (page: { next_cursor?: string | null }) => page.next_cursor ?? undefined,
      placeholderData: (old) => old,
    },
  );
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  return { ...query, rows, more };
}
