import { useMemo } from "react";
import { api } from "../api/client";
import { PAGES, useMore } from "../api/pages";
import { useNewest } from "../api/useNewest";
import { useParam, useReset } from "../lib/address";
import { olderRun } from "../lib/overlay";
import { RUN_STATES, look } from "../lib/states";
import { runColumns } from "../parts/RunBits";
import { Filter } from "../ui/Filter";
import { Code } from "../ui/Copy";
import { Empty, Loaded } from "../ui/Notes";
import { Table } from "../ui/Table";

const PAGE = 200;
const NONE: never[] = [];
const SINCE: [string, string][] = [
  ["1", "in the last hour"],
  ["24", "in the last day"],
  ["168", "in the last week"],
];

export default function Runs() {
  const [state, setState] = useParam("state");
  const [dag, setDag] = useParam("dag");
  const [q, setQ] = useParam("q");
  const [since, setSince] = useParam("since");
  const dags = api.useQuery("get", "/api/v1/dags", { params: { query: { runs: 0, limit: 500 } } });
  const runs = useRuns({ state, dag, q, since });
  const reset = useReset();
  const filtered = state !== "" || dag !== "" || q !== "" || since !== "";
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
        <select className="input" aria-label="asked for" value={since} onChange={(event) => setSince(event.target.value)}>
          <option value="">at any time</option>
          {SINCE.map(([hours, words]) => (
            <option key={hours} value={hours}>
              {words}
            </option>
          ))}
        </select>
      </div>
      <Loaded of={runs} rows={12}>
        {() =>
          runs.rows.length > 0 ? (
            <Table key={[state, dag, q, since].join()} label="runs" rows={runs.rows} columns={runColumns} rowKey={(run) => run.id} onEnd={runs.more} />
          ) : filtered ? (
            <Empty title="No run matches">
              <p>
                <button type="button" className="btn" onClick={() => reset(["state", "dag", "q", "since"])}>
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

/** Runs page by page. A change reads the newest page again, however many are loaded. */
export function useRuns({ state, dag, q, since }: { state?: string; dag?: string; q?: string; since?: string }) {
  // The moment stands still while one looks: a query that changes by itself would be asked for again and again.
  const from = useMemo(() => (Number(since) > 0 ? new Date(Date.now() - Number(since) * 3_600_000).toISOString() : undefined), [since]);
  const filter = { since: from, limit: PAGE, state: state || undefined, dag: dag || undefined, q: q || undefined };
  const query = api.useInfiniteQuery(
    "get",
    "/api/v1/runs",
    { params: { query: filter } },
    {
      ...PAGES,
      placeholderData: (old) => old,
      staleTime: Infinity,
      meta: { still: true },
    },
  );
  const first = query.isPlaceholderData ? undefined : query.data?.pages[0];
  const newest = api.useQuery("get", "/api/v1/runs", { params: { query: filter } }, { enabled: first !== undefined, initialData: first, initialDataUpdatedAt: query.dataUpdatedAt });
  const rows = useNewest(query.data?.pages ?? NONE, first && newest.data, olderRun, () => void query.refetch());
  return { ...query, rows, more: useMore(query) };
}
