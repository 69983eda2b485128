import { Link } from "wouter";
import { api, type Schemas } from "../api/client";
import { to, useParam } from "../lib/address";
import { plural } from "../lib/format";
import { rank } from "../lib/rank";
import { unmarked } from "../lib/words";
import { FIRST } from "../parts/first";
import { LastRuns } from "../parts/RunBits";
import { Code } from "../ui/Copy";
import { Filter } from "../ui/Filter";
import { Icon } from "../ui/Icon";
import { Empty, Loaded } from "../ui/Notes";
import { Status } from "../ui/Status";
import { Table, type Column } from "../ui/Table";
import { Time } from "../ui/Time";
import { Words } from "../ui/Words";

type DagItem = Schemas["DagItem"];

const columns: Column<DagItem>[] = [
  {
    key: "name",
    head: "DAG",
    value: (dag) => dag.name,
    cell: (dag) => (
      <div className="clip" style={{ maxWidth: "max(200px, 24vw)" }}>
        <Link href={to.dag(dag.name)}>{dag.name}</Link> <span className="soft">{dag.description}</span>
      </div>
    ),
  },
  { key: "state", head: "File", value: (dag) => dag.errors, cell: (dag) => <DagState dag={dag} /> },
  { key: "runs", head: "Last runs", cell: (dag) => <LastRuns runs={dag.last_runs} /> },
  { key: "triggers", head: "Started by", cell: (dag) => <div style={{ maxWidth: "max(160px, 16vw)" }}><Triggers triggers={dag.triggers} clip="clip" /></div> },
  { key: "next", head: "Next", value: (dag) => dag.next_fire, num: true, cell: (dag) => <Time at={dag.next_fire} /> },
  {
    key: "run",
    head: <span className="visually-hidden">Run</span>,
    width: 60,
    cell: (dag) => (
      <Link href={to.dag(dag.name, "run")} className="btn" aria-label={`run ${dag.name}`}>
        <Icon name="play" size={13} /> Run
      </Link>
    ),
  },
];

/** What starts a DAG, and what it raises alerts for, each in a line. */
export function Triggers({ triggers, clip = "" }: { triggers: string[]; clip?: string }) {
  const alerts = triggers.filter((one) => one.startsWith("alert "));
  const starts = triggers.filter((one) => !one.startsWith("alert "));
  return (
    <>
      <div className={clip} title={unmarked(starts.join("\n"))}>
        {starts.length > 0 ? <Words text={starts.join(", ")} /> : <span className="soft">people only</span>}
      </div>
      {alerts.length > 0 && (
        <div className={`${clip} soft small`} title={unmarked(alerts.join("\n"))}>
          <Words text={alerts.join(", ")} />
        </div>
      )}
    </>
  );
}

export function DagState({ dag }: { dag: DagItem }) {
  if (!dag.valid) {
    return (
      <Link href={to.dag(dag.name, "yaml")}>
        <Status state="failed" word={plural(dag.errors, "error")} />
      </Link>
    );
  }
  return dag.paused ? <Status state="skipped" word="paused" /> : <Status state="succeeded" word="loaded" />;
}

export default function Dags() {
  const [q, setQ] = useParam("q");
  // A file that changes on disk is no event of the log.
  const dags = api.useQuery("get", "/api/v1/dags", { params: { query: { runs: 8, limit: 500 } } }, { refetchInterval: 3000 });
  return (
    <>
      <div className="page-head">
        <h1>DAGs</h1>
        <div className="actions">
          <Link href="/dags/new/yaml?new=1" className="btn">
            New DAG
          </Link>
        </div>
      </div>
      <Loaded of={dags} rows={8}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No DAG yet">
              <p>Put a YAML file into the folder that the server watches; it is loaded within a second. A first one:</p>
              <Code text={FIRST} label="a first DAG" />
            </Empty>
          ) : (
            <>
              <div className="bar">
                <Filter label="search DAGs" value={q} onChange={setQ} />
              </div>
              <Table label="DAGs" rows={rank(items, q, (dag) => `${dag.name} ${dag.description ?? ""}`)} columns={columns} rowKey={(dag) => dag.name} sortParam="sort" />
            </>
          )
        }
      </Loaded>
    </>
  );
}
