import { Link } from "wouter";
import { api, type Schemas } from "../api/client";
import { to, useParam } from "../lib/address";
import { bytes, count } from "../lib/format";
import { rank } from "../lib/rank";
import { ChangeMarks } from "../ui/Bits";
import { Code } from "../ui/Copy";
import { Filter } from "../ui/Filter";
import { Empty, Loaded } from "../ui/Notes";
import { Table, type Column } from "../ui/Table";
import { Time } from "../ui/Time";

type Item = Schemas["DatasetItem"];

const columns: Column<Item>[] = [
  { key: "name", head: "Dataset", value: (item) => item.name, cell: (item) => <Link href={to.dataset(item.name)}>{item.name}</Link> },
  { key: "version", head: "Version", num: true, value: (item) => item.latest.version, cell: (item) => <Link href={to.dataset(item.name, item.latest.version)}>{item.latest.version}</Link> },
  { key: "rows", head: "Rows", num: true, value: (item) => item.latest.rows, cell: (item) => count(item.latest.rows) },
  { key: "changes", head: "Changed", num: true, cell: (item) => <ChangeMarks changes={item.latest.changes} /> },
  { key: "bytes", head: "Size", num: true, value: (item) => item.latest.bytes, cell: (item) => bytes(item.latest.bytes) },
  { key: "at", head: "Published", num: true, value: (item) => item.latest.created_at, cell: (item) => <Time at={item.latest.created_at} /> },
  { key: "by", head: "Made by", cell: (item) => <Made run={item.latest.run} task={item.latest.task} /> },
  { key: "starts", head: "Starts", cell: (item) => <Starts dags={item.starts} /> },
];

/** The run and task that made a version. */
export function Made({ run, task }: { run: string | null | undefined; task: string | null | undefined }) {
  return run ? (
    <Link href={to.run(run, "tasks", task ?? "")} className="clip" title={run}>
      {task || run.slice(-6)}
    </Link>
  ) : (
    <span className="soft">import</span>
  );
}

/** DAGs that a new version starts. */
export function Starts({ dags }: { dags: string[] }) {
  if (dags.length === 0) return <span className="soft">–</span>;
  return (
    <span className="bar" style={{ gap: 6 }}>
      {dags.map((dag) => (
        <Link key={dag} href={to.dag(dag)}>
          {dag}
        </Link>
      ))}
    </span>
  );
}

export default function Datasets() {
  const [q, setQ] = useParam("q");
  const datasets = api.useQuery("get", "/api/v1/datasets", { params: { query: { limit: 500 } } });
  return (
    <>
      <div className="page-head">
        <h1>Datasets</h1>
      </div>
      <Loaded of={datasets} rows={8}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No dataset yet">
              <p>
                A step publishes one by naming it: <code>out: {"{documents: raw_documents}"}</code>. Or import a file:
              </p>
              <Code text="twinloom dataset import articles articles.jsonl --keys id" label="command" />
            </Empty>
          ) : (
            <>
              <div className="bar">
                <Filter label="search datasets" value={q} onChange={setQ} />
              </div>
              <Table label="datasets" rows={rank(items, q, (item) => item.name)} columns={columns} rowKey={(item) => item.name} sortParam="sort" />
            </>
          )
        }
      </Loaded>
    </>
  );
}
